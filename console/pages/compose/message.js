// What the campaign says, and the options it travels with.

import { h } from '../../lib/dom.js';
import { count } from '../../lib/format.js';
import { field } from '../../parts/pieces.js';
import { icon } from '../../parts/icons.js';
import { UNITS, lacksScheme } from './content.js';

const input = (draft, name, more = {}) => [
  (id) => h('input', { id, type: 'text', value: draft.form[name], oninput: ({ target }) => draft.change({ [name]: target.value }), ...more }),
];

function text(draft, name, label, more, hint) {
  const [make] = input(draft, name, more);
  return field(label, make, { id: `compose-${name}`, hint, problem: draft.problems[name] });
}

const linkHint = (link) =>
  lacksScheme(link) ? 'Without https:// or the app’s own beginning, such as shop://, it will probably open nothing.' : 'What opens on a tap.';

/** Draws the message. */
export const message = (draft) =>
  h('section.card', { 'aria-label': 'Message' },
    h('header', null, h('h2', null, 'Message')),
    text(draft, 'title', 'Title', { dir: 'auto', maxLength: 1000, autofocus: !draft.form.title, required: true }),
    field('Text', (id) => h('textarea', {
      id, dir: 'auto', value: draft.form.body, maxLength: 4000, rows: 3, required: true, oninput: ({ target }) => draft.change({ body: target.value }),
    }), { id: 'compose-body', problem: draft.problems.body }),
    text(draft, 'deep_link', 'Link', { inputMode: 'url', placeholder: 'shop://orders/1 or https://…' }, linkHint(draft.form.deep_link)),
    h('div.columns', null,
      text(draft, 'image_url', 'Picture', { inputMode: 'url', placeholder: 'https://…' }),
      text(draft, 'icon_url', 'Icon', { inputMode: 'url', placeholder: 'https://…' })),
    options(draft));

const OPTIONS = ['time_to_live', 'collapse_id', 'sound', 'badge', 'rate_limit', 'data'];

function options(draft) {
  const { form, problems } = draft;
  const wrong = OPTIONS.some((name) => problems[name]);
  if (wrong) draft.optionsOpen = true;
  return h('details.options-box', { open: Boolean(draft.optionsOpen), ontoggle: ({ target }) => (draft.optionsOpen = target.open) },
    h('summary', null, 'Options', h('span.soft.small.cut', null, chosen(form))),
    h('div.stack', null,
      h('div.columns', null, timeToLive(draft), priority(draft)),
      h('div.columns', null,
        text(draft, 'rate_limit', 'At most, pushes a second', { inputMode: 'numeric', placeholder: 'No limit' }),
        text(draft, 'collapse_id', 'Collapse id', { maxLength: 64, placeholder: 'Its own' }, 'A later push with the same id replaces this one on the device.')),
      h('div.columns', null,
        text(draft, 'sound', 'Sound', { placeholder: 'default' }, 'The name of a sound in the app.'),
        text(draft, 'badge', 'Badge', { inputMode: 'numeric', placeholder: 'Unchanged' }, 'The number on the app’s icon.')),
      data(draft),
      h('label.check', null,
        h('input', { type: 'checkbox', checked: form.dry_run, onchange: ({ target }) => draft.change({ dry_run: target.checked }) }),
        h('span', null, 'Dry run: do everything but push to the devices'))));
}

/** The options that were chosen, in short. */
function chosen({ time_to_live, unit, priority: urgency, rate_limit, collapse_id, sound, badge, data: pairs, dry_run }) {
  const said = [
    time_to_live && `kept ${time_to_live} ${time_to_live === '1' ? unit.slice(0, -1) : unit}`,
    urgency === 'normal' && 'normal priority',
    rate_limit && `${rate_limit} a second`,
    collapse_id && `collapse id ${collapse_id}`,
    sound && `sound ${sound}`,
    badge && `badge ${badge}`,
    pairs.some(({ key }) => key) && count(pairs.filter(({ key }) => key).length, 'pair of data', 'pairs of data'),
    dry_run && 'dry run',
  ];
  return said.filter(Boolean).join(', ');
}

function timeToLive(draft) {
  const { form, problems } = draft;
  return field('Keep trying for', (id) => h('div.with-unit', null,
    h('input', {
      id, type: 'text', inputMode: 'decimal', placeholder: 'Default', value: form.time_to_live,
      oninput: ({ target }) => draft.change({ time_to_live: target.value }),
    }),
    h('select', { 'aria-label': 'Unit', value: form.unit, onchange: ({ target }) => draft.change({ unit: target.value }) },
      Object.keys(UNITS).map((unit) => h('option', { value: unit }, unit)))),
  { id: 'compose-time_to_live', hint: 'While a device is off. Empty: as long as the provider does; 0: one try.', problem: problems.time_to_live });
}

const priority = (draft) =>
  field('Priority', (id) => h('select', { id, value: draft.form.priority, onchange: ({ target }) => draft.change({ priority: target.value }) },
    h('option', { value: 'high' }, 'High: at once'),
    h('option', { value: 'normal' }, 'Normal: when it suits the device')), { id: 'compose-priority' });

function data(draft) {
  const pairs = draft.form.data;
  const set = (next) => draft.change({ data: next });
  const edit = (index, parts) => set(pairs.map((pair, at) => (at === index ? { ...pair, ...parts } : pair)));
  return h('fieldset.field', null,
    h('legend.label', null, 'Data for the app'),
    pairs.map((pair, index) =>
      h('div.row.pair', null,
        h('input.mono', { 'aria-label': `Key ${index + 1}`, placeholder: 'key', value: pair.key, oninput: ({ target }) => edit(index, { key: target.value }) }),
        h('input.mono', { 'aria-label': `Value ${index + 1}`, placeholder: 'value', value: pair.value, oninput: ({ target }) => edit(index, { value: target.value }) }),
        h('button.plain.compact.square', { type: 'button', 'aria-label': `Remove pair ${index + 1}`, onclick: () => set(pairs.filter((_, at) => at !== index)) }, icon('close')))),
    h('div.row', null, h('button.compact', { type: 'button', onclick: () => set([...pairs, { key: '', value: '' }]) }, icon('plus'), 'Pair')),
    draft.problems.data && h('span.problem', { role: 'alert' }, draft.problems.data));
}
