// The overview: what the installation is doing for this app, now.

import { drawn, h } from '../lib/dom.js';
import { count, number, short, sum, time } from '../lib/format.js';
import { ERROR, PAUSED, QUEUED, SENDING, providerName } from '../lib/names.js';
import { absent, outages } from '../lib/outages.js';
import { pace, progress, shares, told } from '../lib/progress.js';
import { meaning, ranked } from '../lib/reasons.js';
import { credentialsOf, to } from '../lib/router.js';
import { liveChart } from '../parts/chart.js';
import { firstSteps } from '../parts/first_steps.js';
import { icon } from '../parts/icons.js';
import { limitsTable } from '../parts/limits.js';
import { noApp } from '../parts/no_app.js';
import { nodesTable } from '../parts/nodes.js';
import { bar, loading, pageHead, statusBadge, tile } from '../parts/pieces.js';
import { outageNote, providersTable } from '../parts/providers.js';

const ORDER = [SENDING, ERROR, PAUSED, QUEUED];
const REASONS_SHOWN = 8;
const CAMPAIGNS_SHOWN = 6;
const ENDED_SHOWN = 3;

export function page({ session, feed, past, can }) {
  if (!session.chosen) return { title: 'Overview', element: noApp(session) };
  const chart = liveChart({ label: 'Pushes a second by provider', name: providerName, read: () => past.rates });
  const limits = limitsTable({ limits: () => feed.status?.limits, editable: can('admin') });
  const steps = firstSteps({ session, feed, can, changed: () => draw() });
  const head = pageHead('Overview', null,
    can('send') && h('a.button.primary.beside', { href: to('/campaigns/new') }, icon('plus'), 'New campaign'));
  const above = drawn(() => h('div.stack.above', null, connection(feed), away(feed, can, session.chosen), !feed.status ? loading() : !steps.areFirst() && tiles(feed.status)));
  const below = drawn(() => (feed.status && !steps.areFirst() ? campaigns(feed.status, can) : h('div', { hidden: true })));
  const providers = drawn(() => providersCard(feed.status));
  const errors = drawn(() => errorsCard(feed.status));
  const rate = h('section.card', { 'aria-labelledby': 'rate' }, h('header', null, h('h2', { id: 'rate' }, 'Pushes a second')), chart.element);
  const rates = h('section.card', { 'aria-labelledby': 'limits' }, h('header', null, h('h2', { id: 'limits' }, 'Limits')), limits.element);
  const nodes = drawn(() => nodesTable(feed.status));
  const lower = h('div.columns.wide', null, h('div.stack', null, providers.element, rates), h('div.stack', null, errors.element, nodes.element));
  const live = h('div.stack', { hidden: true }, rate, below.element, lower);
  const draw = () => {
    live.hidden = !feed.status;
    rate.hidden = steps.areFirst();
    for (const view of [steps, above, below, providers, limits, errors, nodes]) view.draw();
  };
  const stops = [
    feed.watch(draw),
    past.watch(chart.draw),
    steps.close,
  ];
  return { title: 'Overview', element: [head, steps.element, above.element, live], leave: () => (stops.forEach((stop) => stop()), chart.close()) };
}

function connection({ state, status }) {
  if (state !== 'lost' || !status) return null;
  return h('p.note.warn', { role: 'status' }, `The connection is lost; it is tried again. What you see is of ${time(status.at)}.`);
}

/** A line for each provider in trouble, and what it means. */
function away({ state, status }, can, app) {
  if (state === 'lost') return null;
  return outages(status?.providers).map((outage) => outageNote(outage, can('admin') && credentialsOf(app)));
}

function tiles({ rates, queue, campaigns, errors }) {
  const all = Object.values(campaigns ?? {});
  const of = (status) => all.filter((campaign) => campaign.status === status).length;
  const waiting = [of(QUEUED) && `${number(of(QUEUED))} scheduled`, of(PAUSED) && `${number(of(PAUSED))} paused`, of(ERROR) && `${number(of(ERROR))} stopped by an error`];
  const reasons = ranked(errors);
  return h('div.tiles', null,
    tile('Pushes a second', number(sum(Object.fromEntries(Object.entries(rates ?? {}).map(([key, rate]) => [key, rate.per_second])))), 'over all providers'),
    tile('Waiting to be sent', short(queue?.waiting ?? 0), `${number(queue?.in_flight)} under way`),
    tile('Campaigns sending', number(of(SENDING)), waiting.filter(Boolean).join(', ') || 'none scheduled or paused'),
    tile('Failed, last hour', short(sum(errors)), reasons.length ? count(reasons.length, 'reason') : 'no campaign had a failure'));
}

function campaigns({ campaigns: all, providers }, can) {
  const newest = Object.entries(all ?? {}).sort(([, a], [, b]) => String(b.started_at).localeCompare(String(a.started_at)));
  const rows = newest.filter(([, campaign]) => ORDER.includes(campaign.status)).sort(([, a], [, b]) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  const ended = newest.filter(([, campaign]) => !ORDER.includes(campaign.status)).slice(0, ENDED_SHOWN);
  const further = rows.length - CAMPAIGNS_SHOWN;
  return h('section.card', { 'aria-labelledby': 'active' },
    h('header', null, h('h2', { id: 'active' }, 'Campaigns under way and just ended'), h('a', { href: to('/campaigns') }, 'All campaigns')),
    rows.length + ended.length
      ? h('ul.campaigns', null, [...rows.slice(0, CAMPAIGNS_SHOWN), ...(further > 0 ? [] : ended)].map(([uuid, campaign]) => campaignRow(uuid, campaign, absent(providers))),
        further > 0 && h('li.soft.small', { key: 'further' }, `and ${count(further, 'further campaign')}`))
      : h('p.soft', null, 'Nothing is being sent, scheduled or paused. ', can('send') && h('a', { href: to('/campaigns/new') }, 'Write a campaign')));
}

function campaignRow(uuid, campaign, away) {
  const account = progress(null, campaign);
  return h('li.campaign', { key: uuid },
    h('div.campaign-title', null, h('a.row-link.cut', { href: to(`/campaigns/${uuid}`), dir: 'auto' }, campaign.title || 'Untitled'), statusBadge(account, campaign.started_at)),
    account.status === QUEUED ? h('p.small.soft', null, 'Waits for its time') : h('div.stack.tight', null,
      bar(`${campaign.title}: ${told(account)}`, shares(account)),
      h('div.row.small.soft.number', null, h('span.grow', null, told(account)), h('span', null, pace(account, away)))));
}

const providersCard = (status) =>
  h('section.card', { 'aria-labelledby': 'providers' }, h('header', null, h('h2', { id: 'providers' }, 'Providers')), providersTable(status?.providers, status?.rates));

const errorsCard = (status) =>
  h('section.card', { 'aria-labelledby': 'errors' },
    h('header', null, h('h2', { id: 'errors' }, 'Errors by reason'), h('span.small.soft', null, 'campaigns of the last hour')),
    errorList(status?.errors));

function errorList(errors) {
  const reasons = ranked(errors);
  if (!reasons.length) return h('p.soft', null, 'No campaign of the last hour had a failure.');
  const most = reasons[0][1];
  return h('ul.reasons', null,
    reasons.slice(0, REASONS_SHOWN).map(([reason, devices]) =>
      h('li', { key: reason },
        h('div.row', null, h('span.grow', null, meaning(reason) ?? reason, meaning(reason) && h('small.mono.soft', null, ` ${reason}`)), h('strong.number', null, number(devices))),
        bar(`${count(devices, 'device')}`, [['bad', devices / most]], 'thin'))),
    reasons.length > REASONS_SHOWN && h('li.soft.small', null, `and ${count(reasons.length - REASONS_SHOWN, 'further reason')}`));
}
