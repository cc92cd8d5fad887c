// Line icons of 20 by 20, drawn with the colour of the text around them.

import { svg } from '../lib/dom.js';

const PATHS = {
  overview: 'M3 17V9m5 8V4m5 13v-6m5 6V7',
  campaigns: 'M4 8v4l3 .5 7 4v-13l-7 4zM17 8a4 4 0 0 1 0 4',
  devices: 'M6 2.500h8a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1zM9 15h2',
  apps: 'M12.500 3a4.500 4.500 0 1 1-4 6.500L3 15v2h3v-2h2v-2h1.500l1-1M13.500 6.500v.010',
  audit: 'M5 2.500h10v15H5zM8 6.500h4M8 10h4M8 13.500h2',
  plus: 'M10 4v12M4 10h12',
  more: 'M4.500 10v.010M10 10v.010M15.500 10v.010',
  close: 'M5 5l10 10M15 5L5 15',
  grip: 'M7.500 5v.010M12.500 5v.010M7.500 10v.010M12.500 10v.010M7.500 15v.010M12.500 15v.010',
  yes: 'M4.500 10.500l3.500 3.500 7.500-8',
  light: 'M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M4.300 15.700l1.100-1.100M14.600 5.400l1.100-1.100',
  dark: 'M16.500 11.500A7 7 0 0 1 8.500 3.500a7 7 0 1 0 8 8z',
  system: 'M10 2.500a7.500 7.500 0 1 0 0 15zM10 2.500a7.500 7.500 0 0 1 0 15',
  edit: 'M4 16l.7-3.300L13.500 4l2.500 2.500-8.700 8.800zM11.800 5.700l2.500 2.500',
  group: 'M7 4H4v12h3M13 4h3v12h-3',
};

/** An icon; it says nothing to screen readers, since its text stands beside it. */
export const icon = (name) =>
  svg('svg', { viewBox: '0 0 20 20', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' },
    svg('path', { d: PATHS[name] }));
