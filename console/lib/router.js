// From the address to a page. Links are ordinary links; those within the console do not load it anew.

import { keepOverReloads, named, note, want } from './places.js';

const ROOT = '/console';

/** The address of a page: `to('/campaigns')`. */
export const to = (path) => ROOT + path;

let arrive = () => {};
let mayLeave = async () => true;
// How far along the history the page that is shown stands: tells back from forward.
let shown = history.state?.index ?? 0;
// Where the page was scrolled to is kept by the name of its entry.
let entry = history.state?.entry ?? named();
let returning = false;
history.replaceState({ index: shown, entry }, '');
want(entry);
keepOverReloads(() => entry);

/** The page of an app, as a path of the console. */
export const appPath = (app) => `/apps?app=${encodeURIComponent(app)}`;

/** Where an app's credentials are. */
export const credentialsOf = (app) => to(appPath(app));

/** Goes to a page, unless the one that is shown wants to be stayed on; answers whether it went. */
export async function go(path, { replace = false } = {}) {
  return move(to(path), replace);
}

async function move(address, replace) {
  if (!(await mayLeave())) return false;
  note(entry);
  entry = named();
  if (!replace) shown += 1;
  history[replace ? 'replaceState' : 'pushState']({ index: shown, entry }, '', address);
  want(entry);
  arrive();
  return true;
}

/** Back and forward: the address has changed already, and changes back where the page is stayed on. */
async function travelled() {
  const wanted = history.state?.index ?? 0;
  if (returning) {
    returning = false;
    return;
  }
  if (await mayLeave()) {
    note(entry);
    entry = history.state?.entry ?? named();
    want(entry);
    shown = wanted;
    arrive();
  } else if (wanted !== shown) {
    returning = true;
    history.go(shown - wanted);
  }
}

/** Gives the page that is shown another address, without arriving there. */
export const rename = (path) => history.replaceState(history.state, '', to(path));

/** Where the address leads: the first of `routes` (`[pattern, page]`, `:name` for a segment) that fits. */
export function located(routes) {
  const here = location.pathname.slice(ROOT.length).replace(/\/+$/, '') || '/';
  for (const [pattern, page] of routes) {
    const params = fits(pattern, here);
    if (params) return { page, params, query: new URLSearchParams(location.search) };
  }
  return null;
}

function fits(pattern, here) {
  const [wanted, given] = [pattern.split('/'), here.split('/')];
  if (wanted.length !== given.length) return null;
  const params = {};
  for (const [index, part] of wanted.entries()) {
    if (part.startsWith(':')) {
      try {
        params[part.slice(1)] = decodeURIComponent(given[index]);
      } catch {
        return null;
      }
    } else if (part !== given[index]) return null;
  }
  return params;
}

/** Calls `onArrival` whenever the address changes within the console, if `onLeaving` (a promise) lets it. */
export function start(onArrival, onLeaving) {
  arrive = onArrival;
  mayLeave = onLeaving;
  addEventListener('popstate', travelled);
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href]');
    const plain = !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
    if (!link || !plain || link.target || link.origin !== location.origin) return;
    if (link.pathname !== ROOT && !link.pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    if (link.getAttribute('href').startsWith('#')) document.getElementById(link.hash.slice(1))?.focus();
    else move(link.href, false);
  });
}

/** Changes the query of the address without leaving the page: filters that survive a reload. */
export function remember(params) {
  const url = new URL(location.href);
  for (const [key, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === '') url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  history.replaceState(history.state, '', url);
}
