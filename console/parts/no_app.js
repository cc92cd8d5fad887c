// What stands where an app would be looked at, and there is none yet.

import { h } from '../lib/dom.js';
import { to } from '../lib/router.js';

export function noApp({ operator }) {
  return h('div.empty', null,
    h('h1', null, 'No app yet'),
    h('p', null, operator ? 'An app holds its own devices, campaigns and keys. Make the first one to begin.' : 'This key belongs to no app.'),
    operator && h('a.button.primary', { href: to('/apps') }, 'Make an app'));
}
