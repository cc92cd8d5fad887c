// Sending a campaign to a few devices by name, whatever its state; it counts for nothing else.

import { drawn, h } from '../../lib/dom.js';
import { path, post } from '../../lib/api.js';
import { count } from '../../lib/format.js';
import { meaning } from '../../lib/reasons.js';
import { modal } from '../dialog.js';
import { badge, field } from '../pieces.js';

const MOST = 20;
const remembered = (app) => `fanfare.test.${app ?? ''}`;

/** Asks for devices, sends, and shows what became of each. */
export async function testSend(record, app) {
  const state = { text: localStorage.getItem(remembered(app)) ?? '', problem: null, busy: false, rows: null };
  await modal('Send a test', (close) => {
    const submit = async (event) => {
      event.preventDefault();
      const ids = [...new Set(state.text.split(/[\n,]/).map((id) => id.trim()).filter(Boolean))];
      if (!ids.length || ids.length > MOST) {
        state.problem = `One to ${MOST} devices.`;
        return view.draw();
      }
      Object.assign(state, { problem: null, busy: true, rows: null });
      view.draw();
      try {
        state.rows = await post(path`/notifications/${record.uuid}/:test`, { external_ids: ids });
        localStorage.setItem(remembered(app), ids.join('\n'));
      } catch (error) {
        state.problem = error.message;
      }
      state.busy = false;
      return view.draw();
    };
    const view = drawn(() => h('form', { onsubmit: submit },
      field('Devices', (id) => h('textarea', {
        id, autofocus: true, spellcheck: false, value: state.text, oninput: ({ target }) => (state.text = target.value),
      }), { id: 'test-devices', hint: `External ids, one on each line, ${MOST} at most. It is sent now and counts for nothing else.`, problem: state.problem }),
      state.rows && outcomes(state.rows),
      h('div.row.end', null,
        h('button', { type: 'button', onclick: () => close() }, 'Close'),
        h('button.primary', { type: 'submit', disabled: state.busy }, state.busy ? 'Sending …' : state.rows ? 'Send again' : 'Send the test'))));
    return view.element;
  });
  return state.rows ? 'tested' : null;
}

const outcomes = (rows) => h('div.stack.tight', { role: 'status' },
  h('h3', null, `${count(rows.filter(({ outcome }) => outcome === 'accepted').length, 'device')} of ${rows.length} accepted it`),
  h('ul.outcomes', null, rows.map(({ external_id: id, outcome, reason }) => h('li.row', { key: id },
    h('span.grow.cut', null, id),
    outcome === 'accepted' ? badge('Accepted', 'good') : badge(meaning(reason) ?? reason ?? 'Failed', 'bad')))));
