// The console's beginning: who is signed in, the frame, and from the address to a page.
//
// A page is a module of `pages/` with `page(context)`; it answers `{ title, element, leave, mayLeave }`: the
// last, a promise, may ask whether to leave. `context` has `params` and `query` of the address, the
// `session`, the live `feed`, the `past` two minutes of it, `can(scope)`, and `renew(app)` for when what
// the session says has changed, with which app an operator looks at then.

import { get, remove, speakAs, whenLost } from './lib/api.js';
import { Feed } from './lib/feed.js';
import { History } from './lib/history.js';
import { listen } from './lib/keys.js';
import { resume } from './lib/places.js';
import { appPath, go, located, start, to } from './lib/router.js';
import { shell } from './parts/shell.js';
import { failed, pageChanged, toast } from './parts/toast.js';
import { signIn } from './pages/sign_in.js';

const ROUTES = [
  ['/', () => import('./pages/overview.js')],
  ['/campaigns', () => import('./pages/campaigns.js')],
  ['/campaigns/new', () => import('./pages/compose.js')],
  ['/campaigns/:uuid', () => import('./pages/campaign.js')],
  ['/campaigns/:uuid/edit', () => import('./pages/compose.js')],
  ['/devices', () => import('./pages/devices.js')],
  ['/devices/:id', () => import('./pages/device.js')],
  ['/apps', () => import('./pages/apps.js')],
  ['/audit', () => import('./pages/audit.js')],
];

// A page may stay open for days; the cookie lasts 12 hours after it was last renewed.
const RENEW_MS = 3_600_000;
const CHOSEN_APP = 'fanfare.app';

let session = null;
let feed = null;
let past = null;
let frame = null;
let current = null;
let asking = null;
let turn = 0;

const can = (scope) => session.scopes.includes(scope) || session.scopes.includes('admin');

/** The app that an operator looks at: the one chosen last, if there still is one of that name. */
function chosenApp(before) {
  const remembered = localStorage.getItem(CHOSEN_APP) ?? before;
  return session.apps.includes(remembered) ? remembered : (session.app ?? session.apps[0] ?? null);
}

/** Begins again for whoever is signed in now. */
async function begin() {
  const before = session?.chosen;
  session = await get('/console/session?or_none=true', { quiet: true }).catch((error) => {
    failed(error);
    return null;
  });
  feed?.close();
  past?.close();
  if (!session) return document.body.replaceChildren(signIn(begin));
  session.chosen = chosenApp(before);
  speakAs(session, session.chosen);
  feed = new Feed(session.operator ? session.chosen : null);
  past = new History(feed);
  frame = shell({ session, feed, choose, signOut });
  document.body.replaceChildren(frame.element);
  return arrive();
}

/** Another app, on the same page where that app has one; answers whether it came to that. */
async function choose(app) {
  if (!(await mayLeave())) return false;
  localStorage.setItem(CHOSEN_APP, app);
  gone();
  history.replaceState(history.state, '', to(sameOf(location.pathname.slice(to('').length), location.search, app)));
  begin();
  return true;
}

/** Where another app is looked at after a page of this one: what only one app has gives way to its list. */
function sameOf(path, search, app) {
  if (path === '/apps') return search ? appPath(app) : path;
  if (path === '/campaigns/new') return path;
  const [, section] = path.split('/');
  return section ? `/${section}` : '/';
}

/** Begins again, for an operator with this app chosen. */
function renew(app) {
  if (app && session.operator) localStorage.setItem(CHOSEN_APP, app);
  return begin();
}

/** Whether the page that is shown may be left; it may ask, and is asked once at a time. */
async function mayLeave() {
  if (!current?.mayLeave) return true;
  asking ??= current.mayLeave().finally(() => (asking = null));
  return asking;
}

function gone() {
  current?.leave?.();
  current = null;
}

async function signOut() {
  if (!(await mayLeave())) return;
  gone();
  await remove('/console/session', { quiet: true }).catch(() => {});
  begin();
}

/** Shows the page of the address. A page that comes late, when another was asked for, is dropped. */
async function arrive() {
  if (!session) return;
  const mine = ++turn;
  const found = located(ROUTES);
  frame.mark(location.pathname);
  try {
    const module = await (found?.page ?? (() => import('./pages/missing.js')))();
    if (mine !== turn) return;
    gone();
    pageChanged();
    feed.focus(null);
    const context = { params: {}, query: new URLSearchParams(), ...found, session, feed, past, can, renew };
    current = module.page(context);
    document.title = `${current.title} · Fanfare`;
    frame.show(current.element, mine > 1);
    resume();
  } catch (error) {
    failed(error);
  }
}

whenLost(() => {
  if (!session || session.open) return;
  toast('You were signed out.', 'bad');
  gone();
  begin();
});

setInterval(() => session && get('/console/session').catch(() => {}), RENEW_MS);
await begin();
start(arrive, mayLeave);
listen({ go, can: (scope) => Boolean(session) && can(scope) });
