// How far a campaign is: the bar and its numbers, by platform and by reason.

import { h } from '../../lib/dom.js';
import { count, duration, number, percent, sum, time } from '../../lib/format.js';
import { DELETED, DRAFT, ERROR, PAUSED, QUEUED, SENDING, SENT, platformName } from '../../lib/names.js';
import { absent, namesOf } from '../../lib/outages.js';
import { shares, told } from '../../lib/progress.js';
import { isOfCredentials, meaning, ranked } from '../../lib/reasons.js';
import { bar, tile } from '../pieces.js';

/** The card at the top, of a campaign that was launched; `away` are providers out of order (lib/outages.js). */
export function progressCard(record, account, away = []) {
  return h('section.card', { 'aria-labelledby': 'progress' },
    h('header', null, h('h2', { id: 'progress' }, 'Progress'), h('span.soft.number', { role: 'status' }, headline(record, account, away))),
    bar(told(account), shares(account), 'large'),
    h('div.tiles', null,
      tile('Sent', number(sum(account.sent)), account.done ? `${percent(sum(account.sent), account.done)} of those done` : null),
      tile('Failed', number(sum(account.failed)), account.done ? `${percent(sum(account.failed), account.done)} of those done` : null),
      account.status === SENT ? took(record) : left(account),
      account.status === SENDING && tile('Per second', account.rate === null ? '–' : number(account.rate), record.rate_limit ? `at most ${number(record.rate_limit)}` : 'no limit of its own')));
}

function headline(record, { status, done, expected, eta, rate, left: rest }, away) {
  switch (status) {
    case SENDING:
      if (expected === null) return 'Finding its devices';
      if (away.length && rate === 0) return `${percent(done, expected)}, waits for ${namesOf(away)}`;
      return eta !== null && rest > 0 ? `${percent(done, expected)}, about ${duration(eta)} left` : percent(done, expected);
    case PAUSED:
      return expected ? `Paused at ${percent(done, expected)}` : 'Paused';
    case ERROR:
      return 'Stopped by an error';
    case SENT:
      if (!done) return 'No device matched its conditions';
      return record.finished_at ? `Sent ${time(record.finished_at)}` : 'Sent';
    case DELETED:
      return 'Stopped; nothing more is sent';
    default:
      return '';
  }
}

const left = ({ left: rest, expected, eta, status }) =>
  tile(status === DELETED ? 'Not reached' : 'Left', rest === null ? '–' : number(rest), expected === null ? null : status === SENDING && eta !== null && rest > 0 ? `about ${duration(eta)}` : `of ${number(expected)}`);

function took({ launched_at: from, finished_at: to, round }) {
  const seconds = from && to ? (new Date(to) - new Date(from)) / 1000 : null;
  return tile('Took', seconds === null ? '–' : seconds < 1 ? 'under 1 s' : duration(seconds), round ? `sent again ${count(round, 'time')}` : 'from launch to the last outcome');
}

/** Sent and failed by platform, and how many wait for providers that are away, where that is known. */
export function platformTable({ sent, failed, status }, waits = null, providers = {}) {
  const platforms = [...new Set([...Object.keys(sent), ...Object.keys(failed)])].filter((key) => sent[key] || failed[key]);
  if (!platforms.length && waits === null) return h('p.soft', null, status === SENT ? 'It went to no device.' : 'No device has its outcome yet.');
  return h('table', null,
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Platform'), ['Sent', 'Failed', 'Share failed'].map((name) => h('th.end', { scope: 'col' }, name)))),
    h('tbody', null, platforms.map((key) => h('tr', { key },
      h('td', null, key === 'unknown' ? 'Other' : platformName(key)),
      h('td.end', null, number(sent[key])),
      h('td.end', null, number(failed[key])),
      h('td.end.soft', null, percent(failed[key] ?? 0, (sent[key] ?? 0) + (failed[key] ?? 0))))),
    waits !== null && h('tr', { key: 'waits' }, h('td', null, `Waiting for ${namesOf(absent(providers))}`), h('td.end', { colspan: 3 }, number(waits)))));
}

/** Failures by reason; `choose(reason)` shows the devices. `credentials` is where those are given, for who may. */
export function reasonList(reasons, choose, credentials) {
  const rows = ranked(reasons);
  if (!rows.length) return h('p.soft', null, 'No failure.');
  const most = rows[0][1];
  return [h('ul.reasons', null, rows.map(([reason, devices]) =>
    h('li', { key: reason },
      h('div.row', null,
        h('button.link.grow', { type: 'button', onclick: () => choose(reason), title: 'Show the devices' },
          meaning(reason) ?? reason, meaning(reason) && h('small.mono.soft', null, ` ${reason}`)),
        h('strong.number', null, number(devices))),
      bar(count(devices, 'device'), [['bad', devices / most]], 'thin')))),
  credentials && rows.some(([reason]) => isOfCredentials(reason))
    && h('p.small', null, 'Other credentials may mend some of this. ', h('a', { href: credentials }, 'To the credentials'))];
}

/** Whether there is progress to show. */
export const wasLaunched = (record) => Boolean(record.launched_at) && ![DRAFT, QUEUED].includes(record.status);
