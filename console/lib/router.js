// From the address to a page. Links are ordinary links; those within the console do not load it anew.

const ROOT = '/console';

/** The address of a page: `to('/campaigns')`. */
export const to = (path) => ROOT + path;

/** Goes to a page. */
export function go(path, { replace = false } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', to(path));
  dispatchEvent(new PopStateEvent('popstate'));
}

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

/** Calls `arrive` whenever the address changes within the console. */
export function start(arrive) {
  addEventListener('popstate', arrive);
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href]');
    const plain = !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
    if (!link || !plain || link.target || link.origin !== location.origin) return;
    if (link.pathname !== ROOT && !link.pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    history.pushState(null, '', link.href);
    arrive();
  });
  arrive();
}

/** Changes the query of the address without leaving the page: filters that survive a reload. */
export function remember(params) {
  const url = new URL(location.href);
  for (const [key, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === '') url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  history.replaceState(null, '', url);
}
