// Questions that stand before the page: the platform's own dialog, so that focus and Escape are right.

import { drawn, h } from '../lib/dom.js';
import { copy } from './pieces.js';

/** Shows a dialog until it is closed; resolves to what it was closed with (null by Escape). `make(close)`
 * answers its contents; where `mayClose(result)` says no it opens again. */
export function modal(title, make, { mayClose = () => true } = {}) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title' });
    let result = null;
    const close = (value = null) => {
      result = value;
      dialog.close();
    };
    dialog.append(
      h('div.stack', null, h('h2', { id: 'dialog-title' }, title), make(close, dialog), ),
    );
    dialog.onclose = () => {
      if (!mayClose(result)) return dialog.showModal();
      dialog.remove();
      return resolve(result);
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks whether to go on: true or false. `sure` is the word on the button that does it; it has the focus, unless
 * the question is to be read first (`careful`). */
export async function confirmed(title, text, { sure = 'Go on', danger = false, careful = false } = {}) {
  const answer = await modal(title, (close) =>
    h('form', { onsubmit: (event) => (event.preventDefault(), close(true)) },
      h('div.stack.tight', null, text),
      h('div.row.end', null,
        h('button', { type: 'button', autofocus: careful, onclick: () => close() }, 'Cancel'),
        h(danger ? 'button.primary.danger' : 'button.primary', { type: 'submit', autofocus: !careful }, sure)),
    ));
  return answer === true;
}

/**
 * A form in a dialog. `fields(state, change, problem)` draws it: `change({…})` changes the state, which begins
 * as `initial`, and `problem(name)` is what the server said of that field. `save(state)` does it; what it
 * answers is the result (null when the dialog was left), and what it throws is shown.
 */
export function edited(title, initial, { fields, save, sure = 'Save', danger = false }) {
  return modal(title, (close) => {
    const state = { ...initial };
    let [error, busy] = [null, false];
    const submit = async (event) => {
      event.preventDefault();
      if (busy) return;
      [error, busy] = [null, true];
      view.draw();
      try {
        close((await save(state)) ?? true);
      } catch (refusal) {
        [error, busy] = [refusal, false];
        view.draw();
      }
    };
    const change = (changes) => {
      Object.assign(state, changes);
      view.draw();
    };
    const view = drawn(() => {
      let shown = false;
      const problem = (name) => {
        const isIt = error?.field === name;
        shown ||= isIt;
        return isIt ? error.message : null;
      };
      return h('form', { onsubmit: submit },
        fields(state, change, problem),
        error && !shown && h('p.note.bad', { role: 'alert' }, error.message),
        h('div.row.end', null,
          h('button', { type: 'button', onclick: () => close() }, 'Cancel'),
          h('button.primary', { type: 'submit', disabled: busy, class: danger && 'danger' }, sure)));
    });
    return view.element;
  });
}

/**
 * Shows something that can be seen only now, with a button that copies it. It goes by its one button alone:
 * Escape, a click beside it and what else would close it only point there.
 */
export async function shownOnce(title, text, secret) {
  const stored = h('button.primary', { type: 'button' }, 'I have stored it');
  const hint = h('p.note.warn', { role: 'alert', hidden: true }, 'It cannot be shown again. Store it, then say so below.');
  const point = () => {
    hint.hidden = false;
    stored.focus();
  };
  const stay = (event) => {
    event.preventDefault();
    point();
  };
  const escaped = (event) => event.key === 'Escape' && stay(event);
  const leaving = (event) => event.preventDefault();
  addEventListener('keydown', escaped, true);
  addEventListener('beforeunload', leaving);
  const done = modal(title, (close, dialog) => {
    stored.onclick = () => close(true);
    dialog.oncancel = stay;
    dialog.onclick = ({ target }) => target === dialog && point();
    return secretOf(title, text, secret, hint, stored);
  }, { mayClose: (result) => result === true });
  await done.finally(() => {
    removeEventListener('keydown', escaped, true);
    removeEventListener('beforeunload', leaving);
  });
}

function secretOf(title, text, secret, hint, stored) {
  return [
    h('p', null, text),
    h('div.row', null,
      h('input.mono.grow', { readOnly: true, value: secret, 'aria-label': title, onfocus: (event) => event.target.select() }),
      h('button', { type: 'button', onclick: ({ target }) => copy(secret, target, target.previousSibling) }, 'Copy')),
    hint,
    h('div.row.end', null, stored),
  ];
}
