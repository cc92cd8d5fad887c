// Several values in one field: each a chip that can be taken away, and a place to add more.

import { h } from '../lib/dom.js';
import './combo_box.js';

/** `values` as chips named by `name(value)`; `change(values)` with what they are after an edit. `read` makes
 * a value of typed text; `closed` is the field's (combo_box.js). */
export function tokens({ label, values, change, suggest, read = (text) => text, name = String, problem, described, placeholder = 'Add a value', mode, closed = false }) {
  // Several values may be added before the next drawing.
  let now = [...values];
  const set = (next) => change((now = next));
  const add = (given) => {
    const value = typeof given === 'string' ? read(given) : given;
    if (!now.includes(value)) set([...now, value]);
  };
  const without = (index) => set(now.filter((_, at) => at !== index));
  const enter = ({ target, currentTarget }) => target === currentTarget && currentTarget.querySelector('combo-box').focus();
  return h('div.tokens', { role: 'group', 'aria-label': label, class: problem ? 'wrong' : null, onclick: enter },
    values.map((value, index) =>
      h('span.token', { key: `${typeof value}:${value}` },
        h('span.cut', null, name(value)),
        h('button', { type: 'button', 'aria-label': `Remove ${name(value)}`, onclick: () => without(index) }, '×'))),
    h('combo-box', {
      key: 'more', value: '', label: `${label}: add a value`, placeholder: values.length ? '' : placeholder, suggest, problem, described, mode, closed, dataset: { part: 'value' },
      onpick: add, onback: () => without(now.length - 1),
    }));
}
