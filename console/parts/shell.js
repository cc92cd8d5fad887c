// The frame: navigation, the app that is looked at, whether the feed is live, light or dark.

import { also, h } from '../lib/dom.js';
import { to } from '../lib/router.js';
import { help } from '../lib/keys.js';
import { callerName } from '../lib/names.js';
import { headline, outages } from '../lib/outages.js';
import { modal } from './dialog.js';
import { icon } from './icons.js';
import { snippet } from './pieces.js';

// On a phone five names stand side by side.
const wideOnly = (text) => h('span.wide-only', null, text);
const PAGES = [
  ['overview', 'Overview', '/', 'read'],
  ['campaigns', 'Campaigns', '/campaigns', 'read'],
  ['devices', 'Devices', '/devices', 'read'],
  ['apps', ['Apps', wideOnly(' and keys')], '/apps', 'admin'],
  ['audit', ['Audit', wideOnly(' log')], '/audit', 'admin'],
];
const LINK_STATES = { live: 'Live', connecting: 'Connecting …', lost: 'Connection lost' };
const THEME = 'fanfare.theme';

/** The frame; `show(element, moved)` puts a page into it, `mark(path)` says which link leads here. */
export function shell({ session, feed, choose, signOut }) {
  const can = (scope) => session.scopes.includes(scope) || session.scopes.includes('admin');
  const links = PAGES.filter(([, , , scope]) => can(scope)).map(([name, label, path]) =>
    h('a', { href: to(path) }, icon(name), h('span', null, label)));
  const main = h('main.page', { id: 'content', tabIndex: -1 });
  const linkState = h('span.link-state', { role: 'status' }, LINK_STATES.connecting);
  feed.watch(({ state }) => {
    if (linkState.dataset.state === state) return;
    linkState.dataset.state = state;
    linkState.textContent = LINK_STATES[state];
  });
  const mark = troubleMark(feed);
  const element = h('div.shell', null,
    h('a.button.skip', { href: '#content' }, 'Skip to content'),
    h('aside.side', { 'aria-label': 'Console' },
      h('a.brand', { href: to('/') }, h('img', { src: to('/icon.svg'), alt: '' }), 'Fanfare'),
      can('send') && h('a.button.primary', { href: to('/campaigns/new') }, icon('plus'), 'New campaign'),
      h('nav', { 'aria-label': 'Pages' }, h('ul', null, links.map((link) => h('li', null, link)))),
      h('div.foot', null,
        h('button.plain.compact', { type: 'button', onclick: help }, 'Keyboard', h('kbd', null, '?')),
        h('a.button.plain.compact', { href: '/docs', target: '_blank', rel: 'noopener' }, 'The API'),
        h('span', null, `Fanfare ${session.version}`))),
    h('div.main', null,
      h('header.bar', null, appChoice(session, choose), h('span.grow'), mark, linkState, themeButton(), who(session, signOut)),
      main));
  return {
    element,
    /** After the first page the focus goes along, so that a screen reader reads on there. */
    show(page, moved) {
      main.replaceChildren(...[page].flat());
      scrollTo(0, 0);
      if (moved) main.focus({ preventScroll: true });
    },
    mark(address) {
      const path = address.replace(/\/+$/, '');
      const here = (link) => link.pathname.replace(/\/+$/, '');
      // Every address begins as the overview's does.
      const root = to('');
      const fitting = links.filter((link) => path === here(link) || (here(link) !== root && path.startsWith(`${here(link)}/`)));
      const best = fitting.sort((a, b) => here(b).length - here(a).length)[0];
      for (const link of links) link.toggleAttribute('aria-current', false);
      best?.setAttribute('aria-current', 'page');
    },
  };
}

/** Says on every page that a provider is in trouble, and leads to where it is told of. */
function troubleMark(feed) {
  const link = h('a.trouble-mark', { href: to('/'), hidden: true });
  feed.watch(({ status }) => {
    const all = outages(status?.providers);
    const said = all.map(headline).join('; ');
    if (link.title === said) return;
    also(link, { title: said, hidden: !all.length, class: ['trouble-mark', all.some(({ isRefused }) => isRefused) ? 'bad' : 'warn'].join(' ') });
    const name = all.length === 1 ? all[0].name : `${all.length} providers`;
    link.replaceChildren(name, wideOnly(all.every(({ isRefused }) => isRefused) ? ' refused' : ' out of order'));
  });
  return h('span', { role: 'status' }, link);
}

function appChoice(session, choose) {
  if (session.apps.length < 2) return h('strong.cut', null, session.chosen ?? 'No app yet');
  return h('select', { 'aria-label': 'App', onchange: async ({ target }) => {
    if (!(await choose(target.value))) target.value = session.chosen;
  } },
    session.apps.map((app) => h('option', { value: app, selected: app === session.chosen }, app)));
}

function who(session, signOut) {
  if (session.open) return h('button.badge.warn', { type: 'button', title: 'What this means', onclick: () => explainOpen(session) }, 'Open');
  return h('span.row', null,
    h('span.soft.small.cut.wide-only', null, callerName(session.key_name)),
    h('button.plain.compact', { type: 'button', onclick: signOut }, 'Sign out'));
}

/** What it means that nobody signed in, and how to change that. */
const explainOpen = ({ chosen }) => modal('This installation is open', (close) => [
  h('p', null, 'No key is configured. Whoever is on this machine may do everything, and nobody else is let in.'),
  h('p', null, 'Before anything real, give the app a secret in the configuration file and start the server again:'),
  snippet('The lines of the configuration', `[[apps]]\nname = "${chosen ?? 'shop'}"\nsecret = "a long random text"`),
  h('div.row.end', null, h('button.primary', { type: 'button', onclick: () => close() }, 'Close')),
]);

const THEMES = { light: 'Light', dark: 'Dark' };

function themeButton() {
  const button = h('button.plain.compact.square', { type: 'button' });
  const show = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    const said = `Colours: ${(THEMES[theme] ?? 'As the system').toLowerCase()}`;
    also(button, { title: said, 'aria-label': said });
    button.replaceChildren(icon(theme ?? 'system'));
  };
  button.onclick = () => {
    const next = { undefined: 'light', light: 'dark', dark: undefined }[document.documentElement.dataset.theme];
    if (next) localStorage.setItem(THEME, next);
    else localStorage.removeItem(THEME);
    show(next);
  };
  show(localStorage.getItem(THEME) ?? undefined);
  return button;
}
