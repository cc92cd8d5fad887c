// An address that leads nowhere.

import { h } from '../lib/dom.js';
import { to } from '../lib/router.js';
import { empty, pageHead } from '../parts/pieces.js';

export const page = () => ({
  title: 'Not found',
  element: [pageHead('Not found'), h('div.card', null, empty('There is no such page.', h('a.button', { href: to('/') }, 'To the overview')))],
});
