// One campaign: how far it is, what it says to whom, what happened, and what can be done with it.

import { drawn, h } from '../lib/dom.js';
import { envelope, path, post } from '../lib/api.js';
import { ago, number, scheduled, sum, time } from '../lib/format.js';
import { DELETED, DRAFT, ERROR, QUEUED, SENDING } from '../lib/names.js';
import { absent, outages, waiting, waitingSaid } from '../lib/outages.js';
import { isActive, progress } from '../lib/progress.js';
import { credentialsOf, to } from '../lib/router.js';
import { failures } from '../parts/campaign/failures.js';
import { audienceCard, messageCard } from '../parts/campaign/message.js';
import { buttons, canSendAgain, sendAgain } from '../parts/campaign/moves.js';
import { platformTable, progressCard, reasonList, wasLaunched } from '../parts/campaign/progress.js';
import { timeline } from '../parts/campaign/timeline.js';
import { work } from '../parts/campaign/work.js';
import { liveChart } from '../parts/chart.js';
import { empty, loading, statusBadge, trouble } from '../parts/pieces.js';
import { outageNote } from '../parts/providers.js';
import { failed } from '../parts/toast.js';

/** What a move answered stands for this long, while the feed may still tell of before. */
const SETTLING_MS = 1500;
const AGAIN_MS = 300;
const MISSING_MS = 5000;
const WITHOUT_FEED_MS = 5000;
const FAILURES_MS = 4000;
/** A campaign of which nothing has moved for so long stands still. */
const STILL_MS = 3000;

export function page({ params: { uuid }, session, feed, past, can }) {
  const state = { record: null, etag: null, error: null, busy: false, reach: null, movedAt: 0, failed: -1 };
  const timers = new Map();

  // One of each kind waits at a time.
  const later = (name, ms, what) => {
    if (timers.has(name)) return;
    timers.set(name, setTimeout(() => (timers.delete(name), what()), ms));
  };
  const live = () => {
    const told = feed.status?.campaigns?.[uuid];
    return told && Date.now() - state.movedAt < SETTLING_MS ? { ...told, status: state.record.status } : told;
  };
  const account = () => {
    const now = progress(state.record, live());
    // Without the feed nobody knows how fast it goes.
    return feed.state === 'lost' ? { ...now, rate: null, eta: null } : now;
  };
  const isStill = () => {
    const last = past.of(uuid).filter(({ at }) => at > Date.now() - STILL_MS);
    return feed.state === 'live' && last.length > 1 && last.every(({ values }) => values?.campaign === 0);
  };

  /** Shows what the API answered. */
  const take = ({ result: record, etag }) => {
    Object.assign(state, { record, etag });
    document.title = `${record.title || 'Campaign'} · Fanfare`;
    feed.focus(isActive(record.status) ? uuid : null);
    happened.read();
    if ([DRAFT, QUEUED].includes(record.status)) post('/devices/-/:count', record.conditions ? { conditions: record.conditions } : {}).then((reach) => ((state.reach = reach), draw()), () => {});
    draw();
  };
  const again = async () => {
    const answer = await envelope('GET', path`/notifications/${uuid}`);
    state.error = null;
    take(answer);
    return { record: state.record, etag: state.etag };
  };
  const read = () => again().catch((error) => {
    state.error = error;
    draw();
  });
  const act = async (what) => {
    if (state.busy) return;
    state.busy = true;
    draw();
    try {
      const answered = await what();
      if (answered === 'tested') happened.read();
      else if (answered) {
        state.movedAt = Date.now();
        take(answered);
        // It may be over before the answer stops standing, and then the feed says nothing more.
        later('settled', SETTLING_MS + 100, follow);
      }
    } catch (error) {
      failed(error);
      // What it was refused for may be that it changed meanwhile.
      read();
    }
    state.busy = false;
    draw();
    // The button that was pressed may be gone; the keyboard goes on where it stood.
    setTimeout(() => document.activeElement === document.body && document.querySelector('.moves button')?.focus());
  };

  const happened = timeline(uuid);
  const missed = failures({
    uuid,
    reasons: () => (state.record ? account().reasons : {}),
    again: () => (can('send') && canSendAgain(state.record) ? (filter) => act(() => sendAgain(state.record, filter)) : null),
  });
  const chart = liveChart({ label: 'Pushes of this campaign a second', name: () => 'This campaign', read: () => past.of(uuid) });
  const chartCard = h('section.card', { 'aria-labelledby': 'rate', hidden: true }, h('header', null, h('h2', { id: 'rate' }, 'Pushes a second')), chart.element);
  const top = drawn(() => topOf(state, account, uuid, read, { act, again, can, session, feed, isStill }));
  const numbers = drawn(() => (state.record && wasLaunched(state.record) ? numbersOf(account(), {
    choose: missed.choose, providers: feed.status?.providers, isStill: isStill(), credentials: can('admin') && credentialsOf(session.chosen),
  }) : h('div', { hidden: true })));
  const message = drawn(() => (state.record ? h('div.stack', null, messageCard(state.record, session.chosen), audienceCard(state.record, state.reach)) : h('div')));
  const behind = drawn(() => (isActive(state.record?.status) && work(feed.status, uuid)) || h('details', { hidden: true }));
  const rest = h('div.stack', { hidden: true },
    chartCard, numbers.element, h('div.columns.wide', null, message.element, happened.view.element), missed.view.element, behind.element);

  const draw = () => {
    rest.hidden = !state.record;
    chartCard.hidden = !(state.record && (account().status === SENDING || past.of(uuid).some(({ values }) => values?.campaign)));
    for (const view of [top, numbers, message, missed.view, behind]) view.draw();
  };
  const follow = () => {
    draw();
    if (!state.record) return;
    const told = live();
    if (state.error && feed.state === 'live') later('recover', AGAIN_MS, read);
    if (told && told.status !== state.record.status) later('read', AGAIN_MS, read);
    if (!told && feed.state === 'live' && isActive(state.record.status)) later('read', MISSING_MS, read);
    if (feed.state !== 'live' && isActive(state.record.status)) later('read', WITHOUT_FEED_MS, () => (read(), follow()));
    const failures = sum(account().failed);
    if (failures !== state.failed) {
      const first = state.failed === -1;
      state.failed = failures;
      later('failures', first ? 0 : FAILURES_MS, missed.read);
    }
  };
  const stops = [feed.watch(follow), past.watch(() => chartCard.hidden || chart.draw())];
  read().then(follow);
  return {
    title: 'Campaign',
    element: [top.element, rest],
    leave() {
      stops.forEach((stop) => stop());
      timers.forEach((timer) => clearTimeout(timer));
      missed.stop();
      chart.close();
    },
  };
}

function topOf({ record, etag, error, busy }, account, uuid, read, { act, again, can, session, feed, isStill }) {
  if (error?.status === 404 || error?.status === 400) return h('div.stack', null, empty('There is no such campaign in this app.', h('a.button', { href: to('/campaigns') }, 'All campaigns')));
  if (!record) return h('div.stack', null, error ? trouble(error, read) : loading());
  const now = account();
  return h('div.stack', null,
    h('nav', { 'aria-label': 'Where this is' }, h('a.small', { href: to('/campaigns') }, 'Campaigns')),
    h('div.campaign-head', null,
      h('div.row', null, h('h1.breaks', { dir: 'auto' }, record.title || 'Untitled'), statusBadge(now, record.launched_at), record.dry_run && h('span.chip', null, 'Dry run')),
      h('p.soft.small', null, subtitle(record, now)),
      can('send') && h('div.row.moves', { 'aria-busy': String(busy) }, buttons({ record, etag }, now, act, { again, app: session.chosen, feed }))),
    error && !isAway(error, feed) && trouble(error, read),
    feed.state === 'lost' && isActive(record.status) && h('p.note.warn', { role: 'status' }, 'The connection is lost; it is tried again. The numbers are the last ones heard.'),
    record.error && stoppedBy(record, now, can),
    away(now, feed, isStill, can, session.chosen),
    wasLaunched(record) && progressCard(record, now, absent(feed.status?.providers)));
}

/** What it waits for, and what refuses it, as long as that lasts. */
function away(now, { state, status }, isStill, can, app) {
  if (now.status !== SENDING || state === 'lost') return null;
  const said = waitingSaid(now, status?.providers, isStill());
  const refused = outages(status?.providers).filter((outage) => outage.isRefused);
  return [
    said && h('p.note.warn', { key: 'away', role: 'status' }, said),
    refused.map((outage) => outageNote(outage, can('admin') && credentialsOf(app))),
  ];
}

/** Why it stopped by itself, and how it goes on. */
function stoppedBy({ error }, { status }, can) {
  return h('p.note.bad', { role: 'alert' }, `It stopped by itself: ${error}.`,
    status === ERROR && ' Once that is mended it can be resumed, and goes on where it stopped.',
    can('admin') && /credentials/.test(error) && [' ', h('a', { href: to('/apps') }, 'To the credentials')]);
}

/** Whether a reading failed for what the lost connection says already. */
const isAway = ({ status }, feed) => status === 0 && feed.state === 'lost';

function subtitle(record, { status }) {
  if (status === DRAFT) return record.scheduled_at ? `Draft, to be launched ${scheduled(record.scheduled_at)}` : 'Draft, not launched';
  if (status === QUEUED) return `To be launched ${scheduled(record.scheduled_at)}, ${ago(record.scheduled_at)}`;
  if (status === DELETED && !record.launched_at) return `Deleted ${time(record.modified_at)}, sent to nobody`;
  return `Launched ${time(record.launched_at)}${record.rate_limit ? `, at most ${number(record.rate_limit)} a second` : ''}`;
}

const numbersOf = (account, { choose, providers, isStill, credentials }) => h('div.columns.wide.level', null,
  h('section.card', { 'aria-labelledby': 'platforms' }, h('header', null, h('h2', { id: 'platforms' }, 'By platform')), platformTable(account, waiting(account, providers, isStill), providers)),
  h('section.card', { 'aria-labelledby': 'reasons' }, h('header', null, h('h2', { id: 'reasons' }, 'Failures by reason')), reasonList(account.reasons, choose, credentials)));
