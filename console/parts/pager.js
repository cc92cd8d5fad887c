// Turning the pages of a long list.

import { h } from '../lib/dom.js';
import { number } from '../lib/format.js';

/** `1–20 of 345` with ways back and forth; nothing where all is on one page. */
export function pager({ start, size, total, turn, what = 'rows' }) {
  if (total <= size && start === 0) return null;
  const last = Math.min(start + size, total);
  return h('nav.pager', { 'aria-label': `Pages of ${what}` },
    h('span.soft.small.number', { role: 'status' }, total ? `${number(Math.min(start + 1, total))}–${number(last)} of ${number(total)}` : 'None'),
    h('div.row', null,
      h('button.compact', { type: 'button', disabled: start === 0, onclick: () => turn(Math.max(0, start - size)) }, 'Previous'),
      h('button.compact', { type: 'button', disabled: last >= total, onclick: () => turn(start + size) }, 'Next')));
}
