// Signing in with a key.

import { drawn, h } from '../lib/dom.js';
import { call } from '../lib/api.js';
import { field } from '../parts/pieces.js';

/** The page before all others; `done` is called when a session has begun. */
export function signIn(done) {
  document.title = 'Sign in · Fanfare';
  const state = { key: '', problem: null, busy: false };
  const submit = async (event) => {
    event.preventDefault();
    Object.assign(state, { busy: true, problem: null });
    view.draw();
    try {
      await call('POST', '/console/session', { key: state.key.trim() }, { quiet: true });
      await done();
    } catch (error) {
      Object.assign(state, { busy: false, problem: error.message });
      view.draw();
    }
  };
  const view = drawn(() =>
    h('main.sign-in', null,
      h('form.card', { onsubmit: submit },
        h('div.row', null, h('img', { src: '/console/icon.svg', alt: '', width: 36, height: 36 }), h('h1', null, 'Fanfare')),
        field('Key', (id) => h('input', {
          id, type: 'password', autocomplete: 'current-password', required: true, autofocus: true, value: state.key,
          oninput: ({ target }) => (state.key = target.value),
        }), {
          id: 'key',
          hint: 'A key of your app, or the installation’s own. What you may do here is what the key may do.',
          problem: state.problem,
        }),
        h('button.primary', { type: 'submit', disabled: state.busy }, state.busy ? 'Signing in …' : 'Sign in'))));
  return view.element;
}
