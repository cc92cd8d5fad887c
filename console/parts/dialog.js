// Questions that stand before the page: the platform's own dialog, so that focus and Escape are right.

import { h } from '../lib/dom.js';

/** Shows a dialog until it is closed; resolves to what it was closed with (null by Escape). `make(close)`
 * answers its contents. */
export function modal(title, make) {
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
      dialog.remove();
      resolve(result);
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks whether to go on: true or false. `sure` is the word on the button that does it. */
export async function confirmed(title, text, { sure = 'Go on', danger = false } = {}) {
  const answer = await modal(title, (close) =>
    h('form', { onsubmit: (event) => (event.preventDefault(), close(true)) },
      h('div.stack.tight', null, text),
      h('div.row.end', null,
        h('button', { type: 'button', onclick: () => close() }, 'Cancel'),
        h(danger ? 'button.primary.danger' : 'button.primary', { type: 'submit', autofocus: true }, sure)),
    ));
  return answer === true;
}

/** Shows something that can be seen only now, with a button that copies it. */
export function shownOnce(title, text, secret) {
  return modal(title, (close) => [
    h('p', null, text),
    h('div.row', null,
      h('input.mono.grow', { readOnly: true, value: secret, 'aria-label': title, onfocus: (event) => event.target.select() }),
      h('button', { type: 'button', onclick: async ({ target }) => {
        await navigator.clipboard?.writeText(secret);
        target.textContent = 'Copied';
      } }, 'Copy')),
    h('div.row.end', null, h('button.primary', { type: 'button', onclick: () => close(true) }, 'I have kept it')),
  ]);
}
