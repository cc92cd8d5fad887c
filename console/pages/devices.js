// Devices: how many there are and of what kind, and the one that somebody asks about.

import { envelope, post } from '../lib/api.js';
import { drawn, h } from '../lib/dom.js';
import { count, number, sum } from '../lib/format.js';
import { devicePlatform, deviceProvider, platformName, providerName, unreachableName } from '../lib/names.js';
import { TYPES, decimal } from '../lib/property.js';
import { remember, to } from '../lib/router.js';
import { badge, bar, empty, loading, pageHead, snippet, trouble, when } from '../parts/pieces.js';
import { LONGEST, WAYS, isFiltered, searchForm, suggesting } from './devices/search.js';
import { stretch } from './devices/walk.js';

const SIZE = 50;
const OPERATORS = { string: 'str_eq', integer: 'int_eq', float: 'float_eq', boolean: 'bool_eq' };

export function page({ query: asked, session }) {
  const state = {
    by: asked.get('by') in WAYS ? asked.get('by') : 'id',
    text: (asked.get('q') ?? '').slice(0, LONGEST),
    key: (asked.get('key') ?? '').slice(0, LONGEST),
    type: asked.get('type') in TYPES ? asked.get('type') : 'string',
    after: Number(asked.get('after')) || null,
    shown: 0,
    from: Number(asked.get('from')) || 0,
    // Where the earlier pages began.
    before: [],
    applied: null,
    rows: null,
    more: false,
    counts: null,
    error: null,
    problem: null,
    keys: [],
    values: [],
  };
  const leaving = new AbortController();
  const look = looking(state, leaving.signal, () => view.draw());
  const suggest = suggesting(state, leaving.signal, () => view.draw());
  const view = drawn(() =>
    h('div.stack', null,
      pageHead('Devices', 'Everything that can be pushed to, and through which provider.'),
      searchForm(state, { look, suggest, draw: () => view.draw() }),
      counts(state),
      found(state, look, session, () => {
        Object.assign(state, { by: 'alias', values: [] });
        look.search();
      })));
  if (session.chosen === null) {
    return { title: 'Devices', element: [pageHead('Devices'), empty('There is no app yet.', h('a.button', { href: to('/apps') }, 'To the apps'))] };
  }
  look.search(true);
  suggest.keys();
  return { title: 'Devices', element: view.element, leave: () => leaving.abort() };
}

/** What is asked of the API; throws a sentence when the value does not fit its type. */
function wanted({ by, text, key, type }) {
  const leaf = (name, operator, value) => ({ conditions: { key: name, operator, value } });
  if (by === 'property' && key.trim()) {
    if (!text.trim()) return leaf(key.trim(), 'exists', null);
    if (type === 'integer' && !/^-?\d+$/.test(text.trim())) throw new Error('Give a whole number.');
    const value = { string: text, integer: text.trim(), boolean: text === 'true' }[type] ?? decimal(text);
    return leaf(key.trim(), OPERATORS[type], value);
  }
  if (!text.trim() || by === 'property') return {};
  if (by === 'id') return { external_ids: [text.trim()] };
  return by === 'alias' ? leaf('@alias', 'str_contains', text.trim()) : leaf('@tag', 'str_eq', text.trim());
}

/** Searching and turning pages. */
function looking(state, signal, draw) {
  let turn = 0;
  async function load() {
    const mine = ++turn;
    Object.assign(state, { error: null, busy: true });
    draw();
    try {
      const { applied, after } = state;
      const ask = (place) => envelope('POST', '/devices/-/:search', { ...applied, ...place }, { signal });
      // One more than is shown tells whether there are more.
      const rows = await stretch(ask, { size: SIZE + 1, after });
      if (mine !== turn) return;
      Object.assign(state, { rows: rows.slice(0, SIZE), shown: state.from, more: rows.length > SIZE, busy: false });
    } catch (error) {
      if (error.name === 'AbortError' || mine !== turn) return;
      Object.assign(state, { error, busy: false });
    }
    draw();
  }
  async function tally() {
    state.counts = null;
    if (state.applied.external_ids) return;
    const { applied } = state;
    const counts = await post('/devices/-/:count', applied, { signal }).catch(() => null);
    if (applied === state.applied) state.counts = counts;
    draw();
  }
  function move({ after, from }) {
    Object.assign(state, { after, from });
    remember({ after, from: from || null });
    load();
  }
  return {
    load,
    search(first = false) {
      try {
        state.applied = wanted(state);
      } catch (problem) {
        state.problem = problem.message;
        // An address may ask for what cannot be; then everybody is shown beneath the complaint.
        if (!first) return draw();
        state.applied = {};
      }
      if (!first) {
        Object.assign(state, { after: null, from: 0, before: [], problem: null });
        const isProperty = state.by === 'property' && state.key;
        remember({
          by: state.by === 'id' ? null : state.by, q: state.text, after: null, from: null,
          key: isProperty ? state.key : null, type: isProperty && state.type !== 'string' ? state.type : null,
        });
      }
      load();
      tally();
    },
    on() {
      state.before.push({ after: state.after, from: state.from });
      move({ after: state.rows.at(-1).id, from: state.from + SIZE });
    },
    back: () => move(state.before.pop() ?? { after: null, from: 0 }),
  };
}

function counts(state) {
  const { counts: told, applied } = state;
  if (applied?.external_ids || told?.total === 0) return null;
  const { unknown, ...platforms } = told?.platforms ?? { android: null, ios: null, web: null };
  const figure = (name, n) => h('div', null, h('dd', null, n === null || n === undefined ? '–' : number(n)), h('dt', null, name));
  return h('section.card.device-counts', { 'aria-label': 'Counts', 'aria-busy': String(!told) },
    h('dl.device-figures', null,
      figure(isFiltered(state) ? 'Matching devices' : 'Devices', told?.total),
      Object.entries(platforms).map(([name, n]) => figure(platformName(name), n)),
      unknown > 0 && figure('Platform not said', unknown)),
    told && reachability(told));
}

function reachability({ total, reachable, unreachable }) {
  const parts = (all, name) => Object.entries(all).filter(([, n]) => n > 0).map(([key, n]) => `${number(n)} ${name(key)}`).join(', ');
  const [yes, no] = [sum(reachable), sum(unreachable)];
  const lost = no > 0 && `${number(no)} not: ${parts(unreachable, unreachableName)}`;
  return h('div.stack.tight', null,
    bar(`${number(yes)} of ${count(total, 'device')} can be reached`, [['good', yes / total], ['warn', no / total]]),
    h('p.small.soft.number', null, h('strong', null, `${number(yes)} can be reached`), yes > 0 && ` (${parts(reachable, providerName)})`, lost && ` · ${lost}`));
}

function found(state, look, session, amongAliases) {
  if (state.error) return trouble(state.error, look.load);
  if (!state.rows) return loading();
  if (!state.rows.length && !state.after) {
    return isFiltered(state)
      ? h('div.card', { key: 'none' }, nothing(state, amongAliases))
      : h('div.card', { key: 'first' }, howToRegister(session));
  }
  return h('section.card.flush', { key: 'rows', 'aria-label': 'Devices', 'aria-busy': String(Boolean(state.busy)) },
    h('table.device-rows', null,
      h('thead', null, h('tr', null, ['External id', 'Platform', 'Reached by', 'Tags', 'Last seen'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', null, state.rows.map(row))),
    turning(state, look));
}

function nothing({ applied, by }, amongAliases) {
  const [id] = applied.external_ids ?? [];
  if (id) return empty('No device has exactly this external id.', h('button.compact', { type: 'button', onclick: amongAliases }, `Search aliases for “${id}”`));
  return empty('No device matches.', h('p.small', null, by === 'alias' ? 'Capital letters are told from small ones.' : 'Values are compared exactly, capital letters and type included.'));
}

function row(device) {
  return h('tr', { key: device.id },
    h('td.name', null,
      h('a.row-link', { href: to(`/devices/${encodeURIComponent(device.external_id)}`), dir: 'auto' }, device.external_id),
      device.alias && h('small.soft', { dir: 'auto' }, device.alias)),
    h('td.platform', null, devicePlatform(device.device_platform)),
    h('td.via', null, reach(device)),
    h('td.tags', null, tags([...device.tags])),
    h('td.seen.soft', null, when(device.last_seen)));
}

/** How a device is reached, or why it is not. */
export function reach(device) {
  if (device.pruned) return badge('Token given up', 'warn');
  if (!device.push_token) return badge('No token', 'quiet');
  const provider = deviceProvider(Number(device.send_platform));
  return provider ?? badge('No provider', 'quiet');
}

function tags(all) {
  const shown = all.slice(0, 3);
  return [shown.map((tag) => h('span.chip', { dir: 'auto' }, tag)), all.length > shown.length && h('span.soft.small.nowrap', null, `and ${all.length - shown.length} more`)];
}

function turning(state, look) {
  if (!state.more && !state.after) return null;
  const total = state.counts?.total;
  // Of the rows that are there: those of the page asked for may still be on their way.
  const stretch = `${number(state.shown + 1)}–${number(state.shown + state.rows.length)}`;
  return h('nav.pager', { 'aria-label': 'Pages of devices' },
    h('span.soft.small.number', { role: 'status' }, state.rows.length ? `${stretch}${total ? ` of ${count(total, 'device')}` : ''}` : 'No more devices'),
    h('div.row', null,
      h('button.compact', { type: 'button', disabled: !state.after, onclick: look.back }, 'Previous'),
      h('button.compact', { type: 'button', disabled: !state.more, onclick: look.on }, 'Next')));
}

function howToRegister(session) {
  const lines = [
    `curl -X PUT ${location.origin}/devices`,
    !session.open && "  -H 'Authorization: Bearer YOUR-KEY'",
    "  -H 'Content-Type: application/json'",
    `  -d '{"external_id": "alice-phone", "push_token": "TOKEN", "send_platform": "FCM", "device_platform": "ANDROID"}'`,
  ];
  return empty('No device is registered yet. Your app registers each one with one call:',
    snippet('The call that registers a device', lines.filter(Boolean).join(' \\\n')));
}
