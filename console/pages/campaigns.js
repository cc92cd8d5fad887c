// Every campaign of the app, by state, with those under way moving.

import { drawn, h } from '../lib/dom.js';
import { envelope, query } from '../lib/api.js';
import { ago, scheduled, time } from '../lib/format.js';
import { latest } from '../lib/later.js';
import { DELETED, DRAFT, ERROR, PAUSED, QUEUED, SENDING, SENT } from '../lib/names.js';
import { absent } from '../lib/outages.js';
import { isActive, pace, progress, shares, told } from '../lib/progress.js';
import { go, remember, to } from '../lib/router.js';
import { icon } from '../parts/icons.js';
import { noApp } from '../parts/no_app.js';
import { pager } from '../parts/pager.js';
import { bar, empty, loading, pageHead, statusBadge, trouble } from '../parts/pieces.js';

const SIZE = 20;
/** Reading again because the feed knows more is done at most this often. */
const AGAIN_MS = 1500;
/** How long nobody has typed before a search is made. */
const QUIET_MS = 200;
const LONGEST_SEARCH = 200;

const FILTERS = [
  ['', 'All', [DRAFT, SENDING, SENT, ERROR, QUEUED, PAUSED]],
  ['sending', 'Sending', [SENDING]],
  ['scheduled', 'Scheduled', [QUEUED]],
  ['paused', 'Paused', [PAUSED]],
  ['drafts', 'Drafts', [DRAFT]],
  ['sent', 'Sent', [SENT]],
  ['error', 'Error', [ERROR]],
  ['deleted', 'Stopped or deleted', [DELETED]],
];

export function page({ session, feed, query: asked, can }) {
  if (!session.chosen) return { title: 'Campaigns', element: noApp(session) };
  const state = { filter: known(asked.get('state')), text: (asked.get('q') ?? '').slice(0, LONGEST_SEARCH), start: Number(asked.get('start')) || 0, rows: null, total: 0, error: null, busy: false };
  let reading = null;
  let again = null;

  const read = async () => {
    reading?.abort();
    const mine = (reading = new AbortController());
    state.busy = true;
    try {
      const status = statusesOf(state.filter).join(',');
      const answer = await envelope('GET', `/notifications${query({ status, search: state.text.trim(), order_bys: '-created_at,-id', start: state.start, size: SIZE })}`, undefined, { signal: mine.signal });
      Object.assign(state, { rows: answer.result, total: answer.total, error: null, busy: false });
      // The last campaign of the last page may be gone meanwhile.
      if (!answer.result.length && state.start > 0) return move({ start: Math.max(0, state.start - SIZE) });
    } catch (error) {
      if (error.name === 'AbortError') return undefined;
      Object.assign(state, { error, busy: false });
    }
    return view.draw();
  };
  const move = (change) => {
    Object.assign(state, change);
    remember({ state: state.filter, q: state.text.trim(), start: state.start || null });
    view.draw();
    return read();
  };
  const choose = (filter) => move({ filter, start: 0, rows: null });
  const searched = latest(QUIET_MS, () => move({ start: 0 }));
  const search = (text, atOnce = false) => {
    state.text = text;
    searched.stop();
    if (atOnce) move({ start: 0 });
    else searched();
  };
  const follow = () => {
    view.draw();
    if (again || !state.rows || !isBehind(state, feed.status)) return;
    again = setTimeout(() => ((again = null), read()), AGAIN_MS);
  };

  const head = pageHead('Campaigns', null, can('send') && h('a.button.primary.beside', { href: to('/campaigns/new') }, icon('plus'), 'New campaign'));
  const view = drawn(() => h('div.stack', null,
    h('div.list-controls', null, h('div.tabs', { role: 'group', 'aria-label': 'State' }, FILTERS.map(([key, label]) =>
      h('button.compact', { type: 'button', 'aria-pressed': String(state.filter === key), onclick: () => choose(key) }, label, counted(key, feed.status)))), searchField(state, search)),
    state.error && trouble(state.error, read),
    contents(state, feed.status, { can, choose, search, turn: (start) => move({ start }) })));
  const stop = feed.watch(follow);
  read();
  return { title: 'Campaigns', element: [head, view.element], leave: () => (stop(), searched.stop(), clearTimeout(again), reading?.abort()) };
}

function searchField({ text }, search) {
  return h('form', { role: 'search', onsubmit: (event) => (event.preventDefault(), search(event.target.elements.q.value, true)) },
    h('input', {
      name: 'q', type: 'search', value: text, 'aria-label': 'Search campaigns by title', placeholder: 'Search titles', autocomplete: 'off', spellcheck: false,
      maxLength: LONGEST_SEARCH, oninput: ({ target }) => search(target.value),
    }));
}

/** Of what is under way, how many there are now, as far as the feed tells. */
const COUNTED = ['sending', 'scheduled', 'paused', 'error'];

function counted(key, status) {
  const told = COUNTED.includes(key) ? Object.values(status?.campaigns ?? {}).filter((campaign) => statusesOf(key).includes(campaign.status)) : [];
  return told.length > 0 && h('span.tab-count.number', { 'aria-hidden': 'true' }, told.length);
}

const known = (filter) => (FILTERS.some(([key]) => key === filter) ? filter : '');
const statusesOf = (filter) => FILTERS.find(([key]) => key === filter)[2];

/** Whether the feed tells of something that the list does not show yet. */
function isBehind({ rows, start, filter, text }, status) {
  const listed = new Map(rows.map((row) => [row.uuid, row.status]));
  return Object.entries(status?.campaigns ?? {}).some(([uuid, live]) => {
    if (listed.has(uuid)) return live.status !== listed.get(uuid);
    return start === 0 && rows.length < SIZE && statusesOf(filter).includes(live.status) && isFound(live.title, text);
  });
}

const isFound = (title, text) => title.toLowerCase().includes(text.trim().toLowerCase());

function contents({ rows, total, start, filter, text, error, busy }, status, { can, choose, search, turn }) {
  if (!rows) return error ? null : h('div.card', null, loading());
  if (!rows.length) return h('div.card', { 'aria-busy': String(busy) }, nothing({ filter, text: text.trim() }, { can, choose, search }));
  return [
    h('div.card.flush', { 'aria-busy': String(busy) }, h('table.campaign-list', null,
      h('caption.unseen', null, 'Campaigns, the newest first'),
      h('thead', null, h('tr', null, ['Campaign', 'State', 'Progress', 'When'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', null, rows.map((row) => line(row, status?.campaigns?.[row.uuid], absent(status?.providers)))))),
    pager({ start, size: SIZE, total, turn, what: 'campaigns' }),
  ];
}

function nothing({ filter, text }, { can, choose, search }) {
  if (text) {
    return empty(`No ${filter ? 'campaign in this state' : 'campaign'} has “${text}” in its title.`, h('div.row.center', null,
      filter && h('button.compact', { type: 'button', onclick: () => choose('') }, 'Search all states'),
      h('button.compact', { type: 'button', onclick: () => search('', true) }, 'Clear the search')));
  }
  if (filter) return empty('No campaign is in this state.', h('button.compact', { type: 'button', onclick: () => choose('') }, 'Show all'));
  return empty('No campaign was written yet.', can('send') && h('a.button.primary', { href: to('/campaigns/new') }, 'Write the first'));
}

function line(row, live, away) {
  const account = progress(row, live);
  return h('tr', { key: row.uuid, onclick: (event) => event.target.closest('a, button') || getSelection().toString() || go(`/campaigns/${row.uuid}`) },
    h('td.campaign-name', null,
      h('a.row-link', { href: to(`/campaigns/${row.uuid}`), dir: 'auto' }, row.title || 'Untitled'),
      h('span.soft.small.cut', { dir: 'auto' }, row.body)),
    h('td.campaign-state', null, statusBadge(account, row.launched_at), row.dry_run && h('span.soft.small', null, ' dry run')),
    h('td.campaign-progress', null, account.status === DRAFT || account.status === QUEUED ? null : [
      bar(told(account), shares(account)),
      h('span.small.soft.number', null, isActive(account.status) && account.live ? pace(account, away) : told(account)),
    ]),
    h('td.soft.small.campaign-when', null, when(row, account.status)));
}

function when(row, status) {
  if (status === QUEUED) return `For ${scheduled(row.scheduled_at)}, ${ago(row.scheduled_at)}`;
  if (status === SENT && row.finished_at) return `Sent ${time(row.finished_at)}`;
  if ([SENDING, PAUSED, ERROR].includes(status)) return `Launched ${time(row.launched_at)}`;
  if (status === DELETED) return `${row.launched_at ? 'Stopped' : 'Deleted'} ${time(row.modified_at)}`;
  return `Written ${time(row.created_at)}`;
}
