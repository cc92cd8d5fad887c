// Apps: whom they push through, and the keys that their callers show.

import { call, get, path, post, remove } from '../lib/api.js';
import { drawn, h } from '../lib/dom.js';
import { count } from '../lib/format.js';
import { providerName } from '../lib/names.js';
import { outages } from '../lib/outages.js';
import { appPath, go, to } from '../lib/router.js';
import { edited, shownOnce } from '../parts/dialog.js';
import { badge, empty, field, loading, pageHead, trouble, when } from '../parts/pieces.js';
import { failed, toast } from '../parts/toast.js';
import { keys } from './apps/keys.js';
import { checkUnknown, providers, standing } from './apps/providers.js';

const EVERYWHERE = { everywhere: true };
/** Of so many apps in the list providers are asked what they think of the credentials. */
const ASKED = 10;

export function page({ query: asked, session, feed, renew }) {
  const leaving = new AbortController();
  const state = { apps: null, error: null, name: asked.get('app'), checking: new Set(), asked: new Set() };
  const site = {
    session, state, feed, signal: leaving.signal,
    mayManage: session.operator,
    draw: () => view.draw(),
    load,
    /** Makes a change, and shows the apps as they are then. */
    async change(method, address, body) {
      const result = await call(method, address, body, EVERYWHERE);
      await load();
      return result;
    },
  };
  const view = drawn(() => h('div.stack', null, shown(site, renew)));
  async function load() {
    try {
      state.apps = await get('/apps', { ...EVERYWHERE, signal: leaving.signal });
      state.error = null;
      const chosen = theOne(site);
      for (const app of chosen ? [chosen] : state.apps.slice(0, ASKED)) checkUnknown(site, app);
    } catch (error) {
      if (error.name !== 'AbortError') state.error = error;
    }
    view.draw();
  }
  load();
  // What stands here of providers changes seldom; the feed tells of much else.
  let told = null;
  const stop = feed.watch(({ status }) => {
    const now = JSON.stringify(outages(status?.providers));
    if (now !== told) view.draw();
    told = now;
  });
  return { title: 'Apps and keys', element: view.element, leave: () => (leaving.abort(), stop()) };
}

function shown(site, renew) {
  const { apps, error, name } = site.state;
  const create = site.mayManage && h('button.primary', { type: 'button', onclick: () => createApp(renew) }, 'Create an app');
  if (error) return [pageHead('Apps and keys'), trouble(error, site.load)];
  if (!apps) return [pageHead('Apps and keys'), loading()];
  const chosen = theOne(site);
  if (chosen) return one(site, chosen, apps.length > 1 || site.mayManage, renew);
  if (name) return [pageHead('Apps and keys'), h('div.card', null, empty('There is no app of this name, or it is not yours.', h('a', { href: to('/apps') }, 'All apps')))];
  return [
    pageHead('Apps and keys', 'An app has devices, campaigns, credentials and keys of its own.', create),
    apps.length ? list(site, apps) : h('div.card', null, empty('There is no app yet. An app is what devices register with and campaigns are sent for.')),
  ];
}

/** The app that the page is about, unless it is about all of them. */
function theOne({ state: { apps, name }, mayManage }) {
  if (name) return apps.find((app) => app.name === name);
  return apps.length === 1 && !mayManage ? apps[0] : null;
}

function list(site, apps) {
  return h('section.card.flush', { 'aria-label': 'Apps' }, h('table.app-rows', null,
    h('thead', null, h('tr', null, ['App', 'Providers', 'Keys', 'Made'].map((label) => h('th', { scope: 'col' }, label)))),
    h('tbody', null, apps.map((app) => h('tr', { key: app.name },
      h('td', null, h('a.row-link', { href: to(appPath(app.name)) }, app.name)),
      h('td', null, app.providers.length
        ? h('span.row.tight', null, app.providers.map((row) => {
          const { name, tone } = standing(site, app, row);
          return badge(`${providerName(row.provider)}: ${name}`, tone);
        }))
        : h('span.soft', null, 'No credentials')),
      h('td', null, count(app.keys.length, 'key')),
      h('td.soft', null, app.source === 'configuration' ? 'In the configuration' : when(app.created_at)))))));
}

function one(site, app, hasOthers, renew) {
  const isConfigured = app.source === 'configuration';
  return [
    pageHead(h('span.device-name', null, app.name),
      [hasOthers && [h('a', { href: to('/apps') }, 'Apps'), ' · '],
        isConfigured ? 'Set up in the configuration file; keys can be made here too.' : ['Made ', when(app.created_at)]],
      site.mayManage && !isConfigured && h('button.danger', { type: 'button', onclick: () => deleteApp(app, renew) }, 'Delete')),
    providers(site, app),
    keys(site, app),
  ];
}

async function createApp(renew) {
  const made = await edited('Create an app', { name: '' }, {
    sure: 'Create',
    fields: (state, change, problem) => field('Name', (id) => h('input', {
      id, type: 'text', required: true, value: state.name, autocomplete: 'off', spellcheck: false, oninput: ({ target }) => change({ name: target.value }),
    }), { id: 'app-name', hint: 'Callers and logs show it; it cannot be changed later.', problem: problem('name') }),
    save: (state) => post('/apps', { name: state.name.trim() }, EVERYWHERE),
  });
  if (!made) return;
  await shownOnce('The secret of its first key', `It may do everything in ${made.app.name}. Keep it now: it is shown this once.`, made.secret);
  await renew(made.app.name);
  go(appPath(made.app.name));
}

async function deleteApp(app, renew) {
  const about = { ...EVERYWHERE, headers: { 'X-Fanfare-App': app.name } };
  const devices = await post('/devices/-/:count', {}, about).catch(() => null);
  const done = await edited(`Delete the app ${app.name}?`, { typed: '' }, {
    sure: 'Delete the app', danger: true,
    fields: (state, change) => [
      h('p', null, `Its ${devices ? count(devices.total, 'device') : 'devices'}, ${count(app.keys.length, 'key')} and credentials are removed, and its campaigns withdrawn. This cannot be undone, and the name stays taken.`),
      field('Type its name to go on', (id) => h('input', {
        id, type: 'text', value: state.typed, autocomplete: 'off', spellcheck: false, oninput: ({ target }) => change({ typed: target.value }),
      }), { id: 'app-typed' }),
    ],
    async save(state) {
      if (state.typed.trim() !== app.name) throw new Error('That is not its name.');
      await remove(path`/apps/${app.name}`, EVERYWHERE);
    },
  });
  if (!done) return;
  toast(`Deleted the app ${app.name}.`);
  await renew().catch(failed);
  go('/apps');
}
