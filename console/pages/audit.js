// The audit log: who did what, newest first.

import { envelope, get, path, query } from '../lib/api.js';
import { drawn, h } from '../lib/dom.js';
import { clock, number, time } from '../lib/format.js';
import { callerName, callerOf } from '../lib/names.js';
import { remember } from '../lib/router.js';
import { icon } from '../parts/icons.js';
import { pager } from '../parts/pager.js';
import { clamped, empty, field, loading, pageHead, trouble } from '../parts/pieces.js';
import { byDay, runs } from './audit/runs.js';
import { ACTIONS, sentence } from './audit/sentences.js';

const SIZE = 50;
const TITLES = 200;
/** So many alike in a row are one line. */
const COLLAPSED = 3;
const WAYS = { key: 'with a key', session: 'in the console', internal: 'as operator', open: 'without a key' };

export function page({ query: asked, session }) {
  const leaving = new AbortController();
  const state = {
    action: asked.get('action') ?? '',
    target: asked.get('target') ?? '',
    who: callerName(asked.get('who') ?? ''),
    everywhere: session.operator && asked.get('app') !== 'this',
    start: Number(asked.get('start')) || 0,
    rows: null, total: 0, error: null, titles: new Map(), open: new Set(), callers: new Set(session.key_name ? [session.key_name] : []),
  };
  let turn = 0;
  const view = drawn(() => h('div.stack', null,
    pageHead('Audit log', 'Who did what, newest first.'),
    filters(state, session, choose),
    entries(state, load, unfold, session.apps.length > 1),
    state.rows?.length > 0 && pager({ start: state.start, size: SIZE, total: state.total, turn: (start) => choose({ start }), what: 'the audit log' })));
  function unfold(id, isOpen) {
    state.open[isOpen ? 'add' : 'delete'](id);
    view.draw();
  }
  function choose(changes) {
    Object.assign(state, { start: 0 }, changes);
    remember({ action: state.action, target: state.target, who: actor(), start: state.start || null, app: session.operator && !state.everywhere ? 'this' : null });
    view.draw();
    load();
  }
  const actor = () => callerOf(state.who, [...state.callers]);
  async function load() {
    const mine = ++turn;
    try {
      const { action, target, start, everywhere } = state;
      const asking = query({ action, target: target.trim(), actor: actor(), start, size: SIZE });
      const { result, total } = await envelope('GET', `/audit${asking}`, undefined, { signal: leaving.signal, everywhere });
      if (mine !== turn) return;
      Object.assign(state, { rows: result, total, error: null });
      result.forEach((entry) => state.callers.add(entry.actor.name));
      if (result.some((entry) => entry.action.startsWith('notification.'))) name();
    } catch (error) {
      if (error.name === 'AbortError' || mine !== turn) return;
      state.error = error;
    }
    view.draw();
  }
  /** Entries hold ids of campaigns; the latest have titles here. */
  async function name() {
    if (state.titles.size) return;
    const campaigns = await get(`/notifications${query({ size: TITLES, order_bys: '-created_at' })}`, { signal: leaving.signal }).catch(() => []);
    state.titles = new Map(campaigns.map(({ uuid, title }) => [uuid, title]));
    view.draw();
  }
  /** Whom else there is to ask for: the keys that there are. */
  async function callers() {
    const apps = session.operator ? '/apps' : path`/apps/${session.chosen}`;
    const told = await get(apps, { signal: leaving.signal, everywhere: true }).catch(() => []);
    for (const { keys } of [told].flat()) keys.forEach((key) => state.callers.add(key.name));
    view.draw();
  }
  load();
  callers();
  return { title: 'Audit log', element: view.element, leave: () => leaving.abort() };
}

function filters(state, session, choose) {
  const option = (value, label) => h('option', { value, selected: value === state.action }, label);
  return h('form.card.device-search', { role: 'search', onsubmit: (event) => (event.preventDefault(), choose({})) },
    field('What', (id) => h('select', { id, onchange: ({ target }) => choose({ action: target.value }) },
      option('', 'Everything'),
      Object.entries(ACTIONS).map(([group, actions]) => h('optgroup', { label: group },
        Object.keys(actions).length > 1 && option(Object.keys(actions).join(','), `${group}: all`),
        Object.entries(actions).map(([action, { name }]) => option(action, name))))), { id: 'action' }),
    field('Of', (id) => h('input', {
      id, type: 'search', value: state.target, placeholder: 'Id of what it was done to', autocomplete: 'off', spellcheck: false,
      oninput: ({ target }) => (state.target = target.value), onchange: () => choose({}),
    }), { id: 'target' }),
    field('Who', (id) => h('input', {
      id, type: 'search', value: state.who, placeholder: 'A key’s name', list: 'known-callers', autocomplete: 'off', spellcheck: false,
      oninput: ({ target }) => (state.who = target.value), onchange: () => choose({}),
    }), { id: 'who' }),
    h('datalist', { id: 'known-callers' }, [...state.callers].map(callerName).sort().map((name) => h('option', { value: name }))),
    session.operator && field('App', (id) => h('select', { id, onchange: ({ target }) => choose({ everywhere: target.value === 'all' }) },
      h('option', { value: 'all', selected: state.everywhere }, 'All apps'),
      session.chosen && h('option', { value: 'this', selected: !state.everywhere }, session.chosen)), { id: 'which-app' }));
}

function entries(state, load, unfold, isOfSeveral) {
  if (state.error) return trouble(state.error, load);
  if (!state.rows) return loading();
  if (!state.rows.length) {
    const isAsked = state.action || state.target || state.who;
    return h('div.card', null, empty(isAsked ? 'Nothing like this was done, or it is older than the log keeps.' : 'Nothing was done yet that is worth a line here.'));
  }
  return h('div.card.flush', null, byDay(state.rows).map(([day, rows]) => h('section', { key: day, 'aria-label': day },
    h('h2.log-day', null, day),
    h('ol.log', null, runs(rows).map((run) => lines(run, state, unfold, isOfSeveral))))));
}

/** One line, or a line that stands for several alike. */
function lines(run, state, unfold, isOfSeveral) {
  const one = (entry) => line(entry, state, unfold, isOfSeveral);
  if (run.length < COLLAPSED) return run.map(one);
  const [last, first] = [run[0], run.at(-1)];
  const isOpen = state.open.has(`run ${last.id}`);
  return [
    h('li', { key: `run ${last.id}` }, h('div.log-line', null,
      h('p.grow', null, sentence(last, state.titles, ` ${number(run.length)} times`)),
      h('span.soft.small.nowrap', null, `${clock(first.at)} to ${clock(last.at)}`),
      h('button.plain.compact.square', {
        type: 'button', 'aria-expanded': String(isOpen), 'aria-label': 'Each of them', title: 'Each of them', onclick: () => unfold(`run ${last.id}`, !isOpen),
      }, icon('more')))),
    isOpen && run.map(one),
  ];
}

function line(entry, state, unfold, isOfSeveral) {
  const facts = [
    ['When', new Date(entry.at).toLocaleString('en-GB', { dateStyle: 'full', timeStyle: 'long' })],
    ['App', entry.app], ['Key', entry.actor.via === 'open' ? null : entry.actor.name], ['How', WAYS[entry.actor.via] ?? entry.actor.via], ['From', entry.address], ['Of', entry.target],
    ...Object.entries(entry.details ?? {}).map(([name, value]) => [name, value === null ? null : typeof value === 'object' ? JSON.stringify(value) : String(value)]),
  ].filter(([, value]) => value !== null && value !== undefined);
  const isOpen = state.open.has(entry.id);
  return h('li', { key: entry.id },
    h('div.log-line', null,
      h('p.grow', null, sentence(entry, state.titles), isOfSeveral && state.everywhere && entry.app && !/^(app|provider)\./.test(entry.action) && h('span.soft', null, ` · ${entry.app}`)),
      h('time.soft.small.nowrap', { datetime: entry.at, title: time(entry.at) }, clock(entry.at)),
      h('button.plain.compact.square', {
        type: 'button', 'aria-expanded': String(isOpen), 'aria-label': 'Details', title: 'Details', onclick: () => unfold(entry.id, !isOpen),
      }, icon('more'))),
    isOpen && h('dl.facts.small', null, facts.map(([name, value]) => [h('dt', null, name), h('dd', null, clamped(value))])));
}
