// An address that leads nowhere.

import { h } from '../lib/dom.js';
import { to } from '../lib/router.js';
import { empty } from '../parts/pieces.js';

export const page = () => ({
  title: 'Not found',
  element: empty('There is no such page.', h('a', { href: to('/') }, 'To the overview')),
});
