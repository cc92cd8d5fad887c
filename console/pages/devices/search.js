// By what devices are searched: the form, and what it knows to suggest.

import { get, query } from '../../lib/api.js';
import { h } from '../../lib/dom.js';
import { TYPES } from '../../lib/property.js';
import { field } from '../../parts/pieces.js';

export const WAYS = { id: 'External id', alias: 'Alias', tag: 'Tag', property: 'Property' };
// As long as an external id may be.
export const LONGEST = 256;

/** Whether something is searched for. */
export const isFiltered = ({ applied }) => Boolean(applied?.external_ids || applied?.conditions);

/** Keys and values that devices have, for whoever does not know them by heart. */
export function suggesting(state, signal, draw) {
  let turn = 0;
  return {
    async keys() {
      if (state.by !== 'property' || state.keys.length) return;
      state.keys = await get(`/audience/properties${query({ limit: 100 })}`, { signal }).catch(() => []);
      draw();
    },
    async values(key) {
      const mine = ++turn;
      const values = key ? await get(`/audience/values${query({ key, limit: 50 })}`, { signal }).catch(() => []) : [];
      if (mine !== turn) return;
      state.values = values;
      draw();
    },
  };
}

/** The form that searches. */
export function searchForm(state, { look, suggest, draw }) {
  const change = (changes) => {
    Object.assign(state, changes, { problem: null });
    for (const name of ['text', 'key']) state[name] = state[name].slice(0, LONGEST);
    draw();
  };
  const choose = (by) => {
    change({ by, values: [] });
    if (by === 'tag') suggest.values('@tag');
    suggest.keys();
  };
  const name = (key) => {
    const known = state.keys.find((one) => one.key === key);
    change({ key, ...(known && !known.types.includes(state.type) ? { type: known.types[0] } : {}) });
    if (known) suggest.values(key);
  };
  const submit = (event) => {
    event.preventDefault();
    look.search();
  };
  const isYesNo = state.by === 'property' && state.type === 'boolean';
  return h('form.card.device-search', { onsubmit: submit, role: 'search' },
    field('Find by', (id) => h('select', { id, value: state.by, onchange: ({ target }) => choose(target.value) },
      options(WAYS, state.by)), { id: 'by' }),
    state.by === 'property' && [
      field('Property', (id) => h('input', {
        id, type: 'text', list: 'known-keys', value: state.key, autocomplete: 'off', spellcheck: false, maxLength: LONGEST,
        oninput: ({ target }) => name(target.value),
      }), { id: 'key' }),
      field('Type', (id) => h('select', { id, onchange: ({ target }) => change({ type: target.value, text: target.value === 'boolean' ? 'true' : state.text }) },
        options(TYPES, state.type)), { id: 'type' }),
    ],
    isYesNo
      ? field('Value', (id) => h('select', { id, key: 'yes-no', onchange: ({ target }) => change({ text: target.value }) },
        options({ true: 'Yes', false: 'No' }, state.text)), { id: 'value' })
      : field(state.by === 'property' ? 'Value' : WAYS[state.by], (id) => h('input', {
        id, type: 'search', key: 'text', value: state.text, list: 'known-values', autocomplete: 'off', spellcheck: false, maxLength: LONGEST,
        oninput: ({ target }) => change({ text: target.value }),
      }), { id: 'value', problem: state.problem, hint: hint(state) }),
    h('div.row', null,
      h('button.primary', { type: 'submit' }, 'Search'),
      isFiltered(state) && h('button', { type: 'button', onclick: () => {
        change({ text: '', key: '' });
        look.search();
      } }, 'Show all')),
    h('datalist', { id: 'known-keys' }, state.keys.map(({ key }) => h('option', { value: key }))),
    h('datalist', { id: 'known-values' }, state.values.map(({ value }) => h('option', { value: String(value) }))));
}

/** How what is typed is compared. */
function hint({ by, key, text }) {
  if (by === 'id') return 'The whole id, exactly as it was registered. “Alias” finds a part, too.';
  if (by === 'alias') return 'Any part of it; capital letters count.';
  return by === 'property' && key && !text ? 'Empty: any value' : null;
}

const options = (all, chosen) =>
  Object.entries(all).map(([value, label]) => h('option', { value, selected: value === chosen }, label));
