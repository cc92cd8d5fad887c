// What happened to a device.

import { get, path, query } from '../../lib/api.js';
import { h } from '../../lib/dom.js';
import { to } from '../../lib/router.js';
import { meaning } from '../../lib/reasons.js';
import { pager } from '../../parts/pager.js';
import { badge, loading, trouble, when } from '../../parts/pieces.js';

const SIZE = 20;
const KINDS = { '': 'All', sent: 'Sent', failed: 'Failed', received: 'Received', opened: 'Opened' };
const TONES = { sent: 'good', failed: 'bad', received: 'info', opened: 'live-still' };

/** The card of what happened, newest first. */
export function history(site) {
  const own = { kind: '', start: 0, rows: null, total: 0, error: null };
  let turn = 0;
  async function load() {
    const mine = ++turn;
    try {
      const asked = query({ events: own.kind, start: own.start, size: SIZE, order_bys: '-created_at,-id' });
      const { total, events } = await get(path`/devices/${site.id}/notifications` + asked, { signal: site.signal });
      if (mine === turn) Object.assign(own, { rows: events, total, error: null });
    } catch (error) {
      if (error.name === 'AbortError') return;
      own.error = error;
    }
    site.draw();
  }
  const choose = (changes) => {
    Object.assign(own, { start: 0 }, changes);
    load();
    site.draw();
  };
  return {
    begin: load,
    draw: () =>
      h('section.card', { 'aria-labelledby': 'history' },
        h('header', null, h('h2', { id: 'history' }, 'What happened'),
          h('div.tabs', { role: 'group', 'aria-label': 'Filter' }, Object.entries(KINDS).map(([kind, label]) =>
            h('button.compact', { type: 'button', 'aria-pressed': String(kind === own.kind), onclick: () => choose({ kind }) }, label)))),
        rows(own, load),
        pager({ start: own.start, size: SIZE, total: own.total, turn: (start) => choose({ start }), what: 'the history' })),
  };
}

function rows(own, load) {
  if (own.error) return trouble(own.error, load);
  if (!own.rows) return loading();
  if (!own.rows.length) return h('p.soft', null, own.kind ? 'Nothing of this kind.' : 'Nothing yet. What is sent to it stands here.');
  return h('ol.happened', null, own.rows.map((event) =>
    h('li', { key: event.id },
      badge(KINDS[event.event] ?? event.event, TONES[event.event]),
      h('span.grow', null,
        event.notification
          ? h('a', { href: to(`/campaigns/${event.notification.uuid}`) }, event.notification.title || 'Untitled')
          : h('span.soft', null, 'A campaign that is no longer kept'),
        event.reason && h('small.reason', null, meaning(event.reason) ?? '', meaning(event.reason) ? ' ' : '', h('code.soft', null, event.reason))),
      h('span.soft.small', null, when(event.created_at)))));
}
