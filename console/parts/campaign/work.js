// Behind a campaign: which node works on how much of it, and what its actors say of themselves.

import { h } from '../../lib/dom.js';
import { count, number } from '../../lib/format.js';

/** The folded cards; nothing where the feed tells nothing. */
export function work(status, uuid) {
  const shards = status?.campaigns?.[uuid]?.shards;
  const actors = Object.entries(status?.actors ?? {});
  if (!shards?.total && !actors.length) return null;
  return h('details.card.folded', null,
    h('summary', null, h('h2', null, 'Shards and actors')),
    shards?.total > 0 && shardsOf(shards, status.nodes ?? {}),
    actors.length > 0 && h('div.stack.tight', null,
      h('h3', null, 'Actors of the node that answers'),
      actors.sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })).map(([name, state]) =>
        h('details', { key: name }, h('summary', null, h('span.mono', null, name.replace(` ${uuid}`, '')), h('span.soft.small', null, ` ${inShort(state)}`)), h('pre.small', null, JSON.stringify(state, null, 2))))));
}

function shardsOf({ total, done, by_node: byNode }, nodes) {
  const rows = Object.entries(byNode ?? {});
  return h('div.stack.tight', null,
    h('p', null, `${number(done)} of ${count(total, 'shard')} done`),
    rows.length > 0 && h('table', null,
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Node'), h('th.end', { scope: 'col' }, 'Shards under way'))),
      h('tbody', null, rows.map(([id, shards]) => h('tr', { key: id }, h('td', null, nodes[id]?.name ?? id.slice(0, 8)), h('td.end', null, number(shards)))))));
}

/** The first numbers of an actor's account. */
function inShort(state) {
  if (typeof state !== 'object' || state === null) return String(state);
  const told = Object.entries(state).filter(([, value]) => typeof value !== 'object').slice(0, 3);
  return told.map(([key, value]) => `${key.replaceAll('_', ' ')} ${value}`).join(', ');
}
