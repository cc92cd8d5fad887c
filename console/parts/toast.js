// Short messages at the edge of the window, read out by screen readers.

import { h } from '../lib/dom.js';

const SHOWN_MS = 6000;
const place = h('div.toasts', { role: 'status', 'aria-live': 'polite' });

/** Says something for a few seconds. `tone` may be `bad`. */
export function toast(text, tone) {
  if (!place.isConnected) document.body.append(place);
  const message = h('div.toast', { class: tone }, text);
  place.append(message);
  setTimeout(() => message.remove(), SHOWN_MS);
}

/** Says why something did not work. A call that was given up says nothing. */
export function failed(error) {
  if (error?.name === 'AbortError') return;
  if (!error?.status && error?.status !== 0) console.error(error);
  toast(error?.message ?? String(error), 'bad');
}
