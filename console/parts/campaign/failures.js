// The devices that a campaign did not reach: by reason and platform, page by page, and sending to them again.

import { drawn, h } from '../../lib/dom.js';
import { envelope, path, query } from '../../lib/api.js';
import { count, time } from '../../lib/format.js';
import { platformName } from '../../lib/names.js';
import { meaning, ranked } from '../../lib/reasons.js';
import { to } from '../../lib/router.js';
import { pager } from '../pager.js';
import { empty, loading, trouble } from '../pieces.js';

const SIZE = 10;
const PLATFORMS = { 1: 'android', 2: 'ios', 3: 'web' };

/**
 * `reasons()` answers failures by reason, `again(filter)` sends once more or is null where nobody may.
 * `read()` reads anew, `choose(reason)` shows those of one reason.
 */
export function failures({ uuid, reasons, again }) {
  const state = { reason: '', platform: '', start: 0, rows: null, total: 0, error: null };
  let reading = null;

  const read = async () => {
    reading?.abort();
    const mine = (reading = new AbortController());
    try {
      const asked = query({ reason: state.reason, platform: state.platform, start: state.start, size: SIZE });
      const answer = await envelope('GET', path`/notifications/${uuid}/failures` + asked, undefined, { signal: mine.signal });
      Object.assign(state, { rows: answer.result, total: answer.total, error: null });
    } catch (error) {
      if (error.name === 'AbortError') return;
      state.error = error;
    }
    view.draw();
  };
  const move = (change) => {
    Object.assign(state, { start: 0 }, change);
    view.draw();
    return read();
  };
  const choose = (reason) => {
    move({ reason, platform: '' });
    view.element.scrollIntoView({ block: 'start', behavior: 'smooth' });
    view.element.querySelector('select')?.focus({ preventScroll: true });
  };

  const view = drawn(() => {
    const known = ranked(reasons());
    if (!known.length) return h('section', { hidden: true });
    return h('section.card.flush', { 'aria-labelledby': 'failures' },
      h('header', null,
        h('h2', { id: 'failures' }, 'Failed devices'),
        h('div.row.failed-head', null,
          select('Reason', state.reason, known.map(([reason]) => [reason, meaning(reason) ? `${meaning(reason)} (${reason})` : reason]), (reason) => move({ reason })),
          select('Platform', state.platform, Object.values(PLATFORMS).map((key) => [key, platformName(key)]), (platform) => move({ platform })),
          again() && h('button', { type: 'button', disabled: !state.total, onclick: () => again()({ reason: state.reason, platform: state.platform }, state.total) },
            state.reason || state.platform ? 'Send to these again' : 'Send to all of them again'))),
      state.error && trouble(state.error, read),
      state.rows ? rows(state) : !state.error && loading(),
      state.rows && h('div.foot', null, pager({ start: state.start, size: SIZE, total: state.total, turn: (start) => move({ start }), what: 'failed devices' })));
  });
  return { view, read, choose, stop: () => reading?.abort() };
}

const platformOf = (row) => platformName(PLATFORMS[row.device_platform] ?? 'Other');

function select(label, chosen, options, pick) {
  return h('select.compact', { 'aria-label': label, onchange: ({ target }) => pick(target.value) },
    h('option', { value: '', selected: chosen === '' }, `Every ${label.toLowerCase()}`),
    options.map(([value, text]) => h('option', { key: value, value, selected: value === chosen }, text)));
}

function rows({ rows: all, total, reason, platform }) {
  if (!all.length) return empty(reason || platform ? 'No failed device is of this kind.' : 'No device has failed.');
  return h('table', null,
    h('caption.unseen', null, count(total, 'failed device')),
    h('thead', null, h('tr', null, ['Device', 'Platform', 'Reason', 'When'].map((name, index) => h('th', { scope: 'col', class: index % 2 ? 'wide-only' : null }, name)))),
    h('tbody', null, all.map((row) => h('tr', { key: row.device_id },
      h('td', null, row.external_id === null ? h('span.soft', null, `number ${row.device_id}, gone by now`) : h('a.row-link.breaks', { href: to(path`/devices/${row.external_id}`) }, row.external_id),
        h('small.soft.narrow-only', null, platformOf(row))),
      h('td.wide-only', null, platformOf(row)),
      h('td', null, meaning(row.reason) ?? row.reason, meaning(row.reason) && h('small.mono.soft.wide-only', null, ` ${row.reason}`)),
      h('td.soft.small.nowrap.wide-only', null, time(row.created_at))))));
}
