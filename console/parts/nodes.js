// The nodes of the installation, and how work is spread over them.

import { h } from '../lib/dom.js';
import { ago, count, number } from '../lib/format.js';
import { badge } from './pieces.js';

/** `nodes` of a status; how long ago is counted from the status's own time. */
export function nodesTable({ nodes, at }) {
  const now = new Date(at).getTime();
  const rows = Object.entries(nodes ?? {}).sort(([, a], [, b]) => Number(b.here) - Number(a.here) || a.name.localeCompare(b.name));
  const shards = rows.reduce((all, [, node]) => all + (node.shards ?? 0), 0);
  return h('section.card.flush', { 'aria-labelledby': 'nodes' },
    h('header', null, h('h2', { id: 'nodes' }, 'Nodes'), h('span.small.soft', null, `${count(rows.length, 'node')}, ${count(shards, 'shard')} under way`)),
    h('table', null,
      h('thead', null, h('tr', null, ['Node', 'Seen'].map((name) => h('th', { scope: 'col' }, name)), ['A second', 'Shards', 'Restarts'].map((name) => h('th.end', { scope: 'col' }, name)))),
      h('tbody', null, rows.map(([id, node]) => row(id, node, now)))));
}

function row(id, node, now) {
  return h('tr', { key: id },
    h('td', null, h('div.row.tight', null, h('strong', { title: id }, node.name), node.here && h('span.small.soft', null, 'answers you')), h('small.soft', null, node.version)),
    h('td', null, isLate(node, now) ? badge(ago(node.last_seen, now), 'warn') : h('span.soft.small', null, ago(node.last_seen, now))),
    h('td.end', null, number(node.per_second)),
    h('td.end', null, number(node.shards)),
    h('td.end', null, node.restarts ? h('span.bad-text', { title: 'Actors that had to be started again' }, number(node.restarts)) : '0'));
}

const LATE_MS = 10_000;
const isLate = (node, now) => now - new Date(node.last_seen) > LATE_MS;
