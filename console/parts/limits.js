// Rates in force, each to be changed where it stands.

import { drawn, h } from '../lib/dom.js';
import { put } from '../lib/api.js';
import { number } from '../lib/format.js';
import { toast } from './toast.js';

const LIMITS = [
  ['app', 'This app', 'Everything this app sends'],
  ['apns', 'APNs', 'This app’s pushes through APNs'],
  ['fcm', 'FCM', 'This app’s pushes through FCM'],
  ['global', 'Installation', 'Every app together; set by whoever runs it'],
];
const HIGHEST = 4_294_967_295;

/** `limits()` answers those in force, or null while they are not known; `editable` is whether this person may. */
export function limitsTable({ limits, editable }) {
  const state = { editing: null, text: '', problem: null, busy: false, answered: null };
  const current = () => ({ ...limits(), ...state.answered });

  const edit = (key) => {
    const now = current()[key];
    Object.assign(state, { editing: key, text: now ? String(now) : '', problem: null });
    view.draw();
    queueMicrotask(() => queueMicrotask(() => document.getElementById('limit-field')?.select()));
  };
  const stop = () => {
    const key = state.editing;
    Object.assign(state, { editing: null, problem: null });
    view.draw();
    queueMicrotask(() => queueMicrotask(() => document.getElementById(`limit-${key}`)?.focus()));
  };
  const save = async (value, said) => {
    const key = state.editing;
    Object.assign(state, { busy: true, problem: null });
    view.draw();
    try {
      state.answered = await put('/limits', { [key]: value });
      // The feed tells it within a second; until then the answer stands.
      setTimeout(() => ((state.answered = null), view.draw()), 2000);
      toast(said ?? `${labelOf(key)}: ${inWords(state.answered[key])}.`);
      state.busy = false;
      stop();
    } catch (error) {
      Object.assign(state, { busy: false, problem: error.message });
      view.draw();
    }
  };
  // No arrow with `&&`: a handler that answers false forbids the key.
  const leaveByEscape = (event) => {
    if (event.key === 'Escape') stop();
  };
  const submit = (event) => {
    event.preventDefault();
    const value = parsed(state.text);
    if (value !== null) return save(value);
    state.problem = 'A whole number of pushes a second; 0 is no limit.';
    return view.draw();
  };

  const editor = (key, label) =>
    h('form.limit-form', { onsubmit: submit, onkeydown: leaveByEscape },
      h('div.row', null,
        h('input', {
          id: 'limit-field', inputMode: 'numeric', value: state.text, placeholder: 'No limit', 'aria-label': `${label}: pushes a second`,
          'aria-invalid': state.problem ? 'true' : null, 'aria-describedby': 'limit-hint', oninput: ({ target }) => (state.text = target.value),
        }),
        h('button.primary.compact', { type: 'submit', disabled: state.busy }, 'Set'),
        h('button.compact', { type: 'button', disabled: state.busy, onclick: stop }, 'Cancel'),
        h('button.plain.compact', { type: 'button', disabled: state.busy, onclick: () => save(null, `${label} is what the settings say again.`) }, 'Back to the settings’ own')),
      h('p.small', { id: 'limit-hint', class: state.problem ? 'bad-text' : 'soft', role: state.problem ? 'alert' : null },
        state.problem ?? 'Holds at once, for what is under way too. Empty or 0 is no limit.'));

  const row = ([key, label, hint], rates) => {
    const may = editable && key !== 'global';
    if (state.editing === key) return h('li.limit', { key }, h('span.grow', null, h('strong', null, label)), editor(key, label));
    return h('li.limit', { key },
      h('span.grow', null, h('strong', null, label), h('small.soft', null, hint)),
      h('span.number', null, inWords(rates[key])),
      may && h('button.compact', { id: `limit-${key}`, type: 'button', onclick: () => edit(key), 'aria-label': `Change the limit: ${label}` }, 'Change'));
  };
  const view = drawn(() => {
    const rates = current();
    return h('ul.limits', null, LIMITS.filter(([key]) => rates[key] !== undefined).map((limit) => row(limit, rates)));
  });
  return view;
}

const labelOf = (key) => LIMITS.find(([own]) => own === key)[1];
const inWords = (rate) => (rate ? `${number(rate)} a second` : 'No limit');

/** The rate that a person wrote; null where it is none. */
export function parsed(text) {
  const plain = text.replace(/[\s,’']/g, '');
  if (plain === '') return 0;
  return /^\d{1,10}$/.test(plain) && Number(plain) <= HIGHEST ? Number(plain) : null;
}
