// Where each page of the history was scrolled to, and which row of its list had the focus: whoever comes back
// finds it so, once its rows are there again. The browser's own way is too early for that.

const KEPT = 'fanfare.places';
const PATIENCE_MS = 4000;
const MOST = 100;
const HANDS = ['wheel', 'touchstart', 'pointerdown', 'keydown'];

const places = new Map(kept());
let wanted = null;
let stop = () => {};

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

/** A name for a new entry of the history. */
export const named = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

/** Notes how the page of this entry of the history is left. */
export function note(entry) {
  const link = document.activeElement?.closest('.row-link')?.getAttribute('href') ?? null;
  places.delete(entry);
  places.set(entry, { y: scrollY, link });
  if (places.size > MOST) places.delete(places.keys().next().value);
}

/** The page that comes next is that of this entry. */
export function want(entry) {
  wanted = places.get(entry) ?? null;
}

/** Brings the page that has come to where it was, as far as it is there, until somebody takes it in hand. */
export function resume() {
  stop();
  const place = wanted;
  wanted = null;
  if (!place) return;
  const page = document.querySelector('main');
  const bring = () => {
    const row = place.link && page.querySelector(`.row-link[href="${CSS.escape(place.link)}"]`);
    if (row && [page, document.body].includes(document.activeElement)) row.focus({ preventScroll: true });
    scrollTo(0, place.y);
  };
  const changes = new MutationObserver(bring);
  const hands = new AbortController();
  const patience = setTimeout(() => stop(), PATIENCE_MS);
  stop = () => {
    changes.disconnect();
    hands.abort();
    clearTimeout(patience);
  };
  changes.observe(page, { childList: true, subtree: true });
  for (const kind of HANDS) addEventListener(kind, () => stop(), { signal: hands.signal, passive: true });
  bring();
}

/** Keeps the places over a reload; `entry()` is that of the page that is shown. */
export function keepOverReloads(entry) {
  history.scrollRestoration = 'manual';
  addEventListener('pagehide', () => {
    note(entry());
    sessionStorage.setItem(KEPT, JSON.stringify([...places]));
  });
}
