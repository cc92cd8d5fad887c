// A test: the message, as it is saved, at once to a few chosen devices.

import { drawn, h } from '../../lib/dom.js';
import { path, post } from '../../lib/api.js';
import { badge } from '../../parts/pieces.js';
import { modal } from '../../parts/dialog.js';
import { tokens } from '../../parts/tokens.js';

const REMEMBERED = 'fanfare.test-devices';
const MOST = 20;

/** Shows the dialog until it is closed. */
export function testSend(draft, reach) {
  return modal('Test on a few devices', (close) => {
    const state = { devices: remembered(draft.app), outcomes: null, problem: null, busy: false };
    const submit = async (event) => {
      event.preventDefault();
      if (state.busy || !state.devices.length) return;
      Object.assign(state, { busy: true, problem: null, outcomes: null });
      view.draw();
      try {
        state.outcomes = await post(path`/notifications/${draft.uuid}/:test`, { external_ids: state.devices });
        localStorage.setItem(`${REMEMBERED}.${draft.app}`, JSON.stringify(state.devices));
      } catch (error) {
        state.problem = error.message;
      }
      state.busy = false;
      view.draw();
    };
    const view = drawn(() => form(state, reach, submit, close, () => view.draw()));
    return view.element;
  });
}

/** The devices of the last test. */
function remembered(app) {
  try {
    return JSON.parse(localStorage.getItem(`${REMEMBERED}.${app}`)) ?? [];
  } catch {
    return [];
  }
}

function form(state, reach, submit, close, draw) {
  const change = (devices) => {
    Object.assign(state, { devices: devices.slice(0, MOST), outcomes: null, problem: null });
    draw();
  };
  const suggest = async (text) => reach.sample
    .filter(({ external_id: id }) => id.toLowerCase().includes(text.toLowerCase()) && !state.devices.includes(id))
    .map(({ external_id: id }) => ({ value: id, detail: 'of the audience' }));
  return h('form.test-send', { onsubmit: submit },
    h('p', null, 'It is pushed now, to these devices alone, whether they match or not. It counts for nothing else.'),
    tokens({ label: 'Devices', values: state.devices, change, suggest, placeholder: 'A device’s id, then Enter' }),
    h('p.soft.small', null, `Up to ${MOST} devices, by the id that your app registered them with.`),
    state.problem && h('p.note.bad', { role: 'alert' }, state.problem),
    state.outcomes && outcomes(state.outcomes),
    h('div.row.end', null,
      h('button', { type: 'button', onclick: () => close() }, 'Close'),
      h('button.primary', { type: 'submit', disabled: state.busy || !state.devices.length }, state.busy ? 'Sending …' : 'Send the test')));
}

const outcomes = (rows) =>
  h('table', null,
    h('caption.hidden-text', null, 'What became of it'),
    h('tbody', { role: 'rowgroup' }, rows.map(({ external_id: id, outcome, reason }) =>
      h('tr', { key: id },
        h('td.mono', null, id),
        h('td', null, badge(outcome === 'accepted' ? 'Accepted' : 'Failed', outcome === 'accepted' ? 'good' : 'bad')),
        h('td', null, reason ?? '')))));
