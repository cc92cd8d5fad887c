// The properties of a device, each with its type.

import { get, query } from '../../lib/api.js';
import { h } from '../../lib/dom.js';
import { TYPES, property, shownValue, typeName, typed } from '../../lib/property.js';
import { confirmed, edited } from '../../parts/dialog.js';
import { icon } from '../../parts/icons.js';
import { field } from '../../parts/pieces.js';
import { failed, toast } from '../../parts/toast.js';

/** The card of properties. */
export function properties(site) {
  return {
    draw() {
      const all = site.state.device.device_properties.map((one) => Object.entries(one)[0]);
      return h('section.card', { 'aria-labelledby': 'properties' },
        h('header', null, h('h2', { id: 'properties' }, 'Properties'),
          site.mayChange && h('button.compact', { type: 'button', onclick: () => change(site) }, 'Add')),
        all.length ? table(site, all) : h('p.soft', null, 'None. Conditions of campaigns compare properties, so give devices those that you want to choose by.'));
    },
  };
}

function table(site, all) {
  return h('table.properties', null,
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Property'), h('th', { scope: 'col' }, 'Value'), h('th.wide-only', { scope: 'col' }, 'Type'),
      site.mayChange && h('th', { scope: 'col' }, h('span.unseen', null, 'Change')))),
    h('tbody', null, all.map(([key, value]) => h('tr', { key },
      h('td', null, h('code', null, key)),
      h('td.value', { dir: 'auto' }, Array.isArray(value) ? list(value) : shownValue(value)),
      h('td.soft.small.wide-only', null, typeName(value)),
      site.mayChange && h('td.end', null, h('div.row.end.nowrap-row', null,
        h('button.plain.compact.square', { type: 'button', title: 'Change', 'aria-label': `Change ${key}`, onclick: () => change(site, key, value) }, icon('edit')),
        h('button.plain.compact.square', { type: 'button', title: 'Remove', 'aria-label': `Remove ${key}`, onclick: () => removeOne(site, key) }, icon('close'))))))));
}

const list = (values) =>
  values.length ? h('span.row.tight', null, values.map((value) => h('span.chip', null, shownValue(value)))) : h('span.soft', null, 'Empty list');

async function change(site, key, value) {
  const isNew = key === undefined;
  const known = isNew ? await get(`/audience/properties${query({ limit: 100 })}`, { signal: site.signal }).catch(() => []) : [];
  const before = isNew ? { type: 'string', isList: false, text: '', isMixed: false } : typed(value);
  const done = await edited(isNew ? 'Another property' : `Change ${key}`, { key: key ?? '', ...before }, {
    fields: (state, draft, problem) => [
      isNew && field('Property', (id) => h('input', {
        id, type: 'text', required: true, value: state.key, list: 'property-keys', autocomplete: 'off', spellcheck: false,
        oninput: ({ target }) => draft({ key: target.value, ...typeOfKnown(known, target.value) }),
      }), { id: 'property-key', problem: problem('properties[0].key') }),
      isNew && h('datalist', { id: 'property-keys' }, known.map((one) => h('option', { value: one.key }))),
      field('Type', (id) => h('select', { id, onchange: ({ target }) => draft({ type: target.value, text: target.value === 'boolean' && !state.isList ? 'true' : state.text }) },
        Object.entries(TYPES).map(([type, label]) => h('option', { value: type, selected: type === state.type }, label))),
      { id: 'property-type', hint: before.isMixed ? 'The list holds values of several types; saved here, all of them become this one.' : 'Conditions never compare across types: the text “30” is not the number 30.' }),
      valueField(state, draft, problem('properties[0].value')),
      h('label.check', null,
        h('input', { type: 'checkbox', checked: state.isList, onchange: ({ target }) => draft({ isList: target.checked }) }), 'Several values'),
    ],
    save: (state) => site.change({ properties: [{ key: state.key.trim(), value: property(state) }] }),
  });
  if (done) toast(isNew ? 'Added.' : `Changed ${key}.`);
}

function typeOfKnown(known, key) {
  const found = known.find((one) => one.key === key);
  return found ? { type: found.types[0] } : {};
}

function valueField(state, draft, problem) {
  const oninput = ({ target }) => draft({ text: target.value });
  if (state.isList) {
    return field('Values', (id) => h('textarea', { id, key: 'list', rows: 5, value: state.text, oninput }), { id: 'property-value', hint: 'One on each line.', problem });
  }
  if (state.type === 'boolean') {
    return field('Value', (id) => h('select', { id, key: 'boolean', onchange: oninput },
      [['true', 'Yes'], ['false', 'No']].map(([value, label]) => h('option', { value, selected: value === state.text }, label))), { id: 'property-value', problem });
  }
  return field('Value', (id) => h('input', {
    id, key: 'one', type: 'text', value: state.text, autocomplete: 'off', inputmode: { integer: 'numeric', float: 'decimal' }[state.type], oninput,
  }), { id: 'property-value', problem });
}

async function removeOne(site, key) {
  const sure = await confirmed(`Remove ${key}?`, h('p', null, 'The device no longer matches conditions that need this property.'), { sure: 'Remove', danger: true });
  if (!sure) return;
  try {
    await site.change({ properties: [{ key, value: null }] });
    toast(`Removed ${key}.`);
  } catch (error) {
    failed(error);
  }
}
