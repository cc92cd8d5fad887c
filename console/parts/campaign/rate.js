// Changing how fast a campaign may go.

import { drawn, h } from '../../lib/dom.js';
import { envelope, path } from '../../lib/api.js';
import { modal } from '../dialog.js';
import { parsed } from '../limits.js';
import { field } from '../pieces.js';

/** Asks for a rate and sets it; what the API answers, or null. */
export function askRate(record) {
  const state = { text: record.rate_limit ? String(record.rate_limit) : '', problem: null, busy: false };
  return modal('How fast may it go?', (close) => {
    const submit = async (event) => {
      event.preventDefault();
      const rate = parsed(state.text);
      if (rate === null) {
        state.problem = 'A whole number of pushes a second, or nothing.';
        return view.draw();
      }
      Object.assign(state, { problem: null, busy: true });
      view.draw();
      try {
        return close(await envelope('PUT', path`/notifications/${record.uuid}/rate_limit`, { rate_limit: rate || null }));
      } catch (error) {
        Object.assign(state, { problem: error.message, busy: false });
        return view.draw();
      }
    };
    const view = drawn(() => h('form', { onsubmit: submit },
      field('Pushes a second', (id) => h('input', {
        id, inputMode: 'numeric', autofocus: true, value: state.text, placeholder: 'No limit of its own', oninput: ({ target }) => (state.text = target.value),
      }), { id: 'campaign-rate', hint: 'Over all nodes, from now on. Empty: as fast as the app’s limits allow.', problem: state.problem }),
      h('div.row.end', null,
        h('button', { type: 'button', onclick: () => close() }, 'Cancel'),
        h('button.primary', { type: 'submit', disabled: state.busy }, 'Set the rate'))));
    return view.element;
  });
}
