// Signing in with a key.

import { drawn, h } from '../lib/dom.js';
import { call } from '../lib/api.js';
import { field } from '../parts/pieces.js';

/** What Basic authentication takes beside the secret, and what is easily taken for it. */
const USER_NAME = /^[A-Za-z0-9]{24}$/;

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
      const isUserName = error.status === 401 && USER_NAME.test(state.key.trim());
      Object.assign(state, { busy: false, problem: isUserName ? 'This looks like an app’s user name (its “key”). Enter its secret instead.' : error.message });
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
          hint: 'A secret of your app, or one of the installation’s own keys. What you may do here is what it may do.',
          problem: state.problem,
        }),
        h('button.primary', { type: 'submit', disabled: state.busy }, state.busy ? 'Signing in …' : 'Sign in'))));
  return view.element;
}
