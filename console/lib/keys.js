// The keyboard: single keys for the way around, where nobody is typing.

import { h } from './dom.js';
import { modal } from '../parts/dialog.js';

const WAYS = [
  ['g o', 'Overview', '/'],
  ['g c', 'Campaigns', '/campaigns'],
  ['g d', 'Devices', '/devices'],
  ['g a', 'Apps and keys', '/apps', 'admin'],
  ['g l', 'Audit log', '/audit', 'admin'],
  ['n', 'New campaign', '/campaigns/new', 'send'],
];
const PAIR_MS = 1200;

/** Listens for as long as the console is open. */
export function listen({ go, can }) {
  let first = null;
  document.addEventListener('keydown', (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return;
    if (event.key === '?') return void help();
    if (event.key === '/') return focusSearch(event);
    if (event.key === 'j' || event.key === 'k') return focusRow(event);
    const pressed = first && event.timeStamp - first.at < PAIR_MS ? `${first.key} ${event.key}` : event.key;
    first = event.key === 'g' ? { key: 'g', at: event.timeStamp } : null;
    const way = WAYS.find(([keys]) => keys === pressed);
    if (way && (!way[3] || can(way[3]))) {
      event.preventDefault();
      go(way[2]);
    }
  });
}

function isTyping(target) {
  return target.closest?.('input, textarea, select, [contenteditable]') && target.type !== 'checkbox' && target.type !== 'radio';
}

function focusSearch(event) {
  const search = document.querySelector('.page input[type="search"]');
  if (!search) return;
  event.preventDefault();
  search.focus();
}

/** To the next or the last row of a list; Enter then opens it. */
function focusRow(event) {
  const rows = [...document.querySelectorAll('.page .row-link')];
  if (!rows.length) return;
  event.preventDefault();
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? 0 : at + (event.key === 'j' ? 1 : -1);
  rows[Math.min(Math.max(next, 0), rows.length - 1)].focus();
}

/** Shows every key. */
export function help() {
  const row = (keys, what) =>
    h('tr', null, h('td', null, keys.split(' ').map((key) => [h('kbd', null, key), ' '])), h('td', null, what));
  return modal('Keyboard', (close) => [
    h('table.keys', null, h('tbody', null,
      WAYS.map(([keys, what]) => row(keys, what)),
      row('j k', 'Down and up a list'), row('/', 'Search on this page'),
      row('Ctrl S', 'Save the draft that is written'), row('Ctrl Enter', 'Launch it'), row('Alt ↑ ↓', 'Move a condition'),
      row('?', 'This help'))),
    h('div.row.end', null, h('button.primary', { type: 'button', autofocus: true, onclick: () => close() }, 'Close')),
  ]);
}
