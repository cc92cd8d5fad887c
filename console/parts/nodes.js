// The nodes of the installation, and how work is spread over them.

import { h } from '../lib/dom.js';
import { ago, count, number } from '../lib/format.js';
import { badge } from './pieces.js';

/** `nodes` of a status; how long ago is counted from the status's own time. */
export function nodesTable(status) {
  const { nodes, at } = status ?? {};
  const now = new Date(at).getTime();
  const rows = Object.entries(nodes ?? {}).sort(([, a], [, b]) => Number(b.here) - Number(a.here) || a.name.localeCompare(b.name));
  const shards = rows.reduce((all, [, node]) => all + (node.shards ?? 0), 0);
  return h('section.card.flush', { 'aria-labelledby': 'nodes' },
    h('header', null, h('h2', { id: 'nodes' }, 'Nodes'), h('span.small.soft', null, `${count(rows.length, 'node')}, ${count(shards, 'shard')} under way`)),
    h('table', null,
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Node'), ['Per second', 'Shards', 'Restarts'].map((name) => h('th.end', { scope: 'col' }, name)))),
      h('tbody', null, rows.map(([id, node]) => row(id, node, now)))));
}

function row(id, node, now) {
  return h('tr', { key: id },
    h('td', null, h('div.row.tight', null, h('strong', { title: id }, node.name), isLate(node, now) && badge(`seen ${ago(node.last_seen, now)}`, 'warn')),
      h('small.soft', null, [node.version, node.here && 'answers you'].filter(Boolean).join(', '))),
    h('td.end', null, number(node.per_second)),
    h('td.end', null, number(node.shards)),
    h('td.end', null, node.restarts ? h('span.bad-text', { title: 'Actors that had to be started again' }, number(node.restarts)) : '0'));
}

const LATE_MS = 10_000;
const isLate = (node, now) => now - new Date(node.last_seen) > LATE_MS;
