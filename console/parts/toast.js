// Short messages at the edge of the window, read out by screen readers.

import { h } from '../lib/dom.js';

const SHOWN_MS = 6000;
const place = h('div.toasts', { role: 'status', 'aria-live': 'polite' });

/** What was said just before a page was left is about what was done there, and is to be read. */
const FRESH_MS = 1000;
const saidAt = new WeakMap();

/** Says something for a few seconds, in the place of the same said before. `tone` may be `bad`. */
export function toast(text, tone) {
  if (!place.isConnected) document.body.append(place);
  for (const former of [...place.children]) if (former.textContent === text) former.remove();
  const message = h('div.toast', { class: tone }, text);
  saidAt.set(message, Date.now());
  place.append(message);
  setTimeout(() => message.remove(), SHOWN_MS);
}

/** Another page is shown: what was said on the one before goes. */
export function pageChanged() {
  for (const message of [...place.children]) if (Date.now() - saidAt.get(message) > FRESH_MS) message.remove();
}

/** Says why something did not work. A call that was given up says nothing. */
export function failed(error) {
  if (error?.name === 'AbortError') return;
  if (!error?.status && error?.status !== 0) console.error(error);
  toast(error?.message ?? String(error), 'bad');
}
