// Calls of Fanfare's own API, as the person who is signed in.

import { readExactly, write } from './exact.js';

/** What a call was refused with: `status`, the server's sentence as `message`, and the `field` it names. */
export class Refusal extends Error {
  constructor(status, reason) {
    const field = /^`?([A-Za-z_@][\w.[\]@-]*)`?: /.exec(reason)?.[1] ?? null;
    super(field ? reason : asSentence(reason));
    this.status = status;
    this.field = field;
  }
}

/** The server's words begin small and end without a stop. */
const asSentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;

let csrf = '';
let app = null;
let lost = () => {};

/** Whom to tell when the server no longer knows who calls. */
export const whenLost = (listener) => (lost = listener);

/** Which app calls are about, and what proves that they come from this page. */
export function speakAs(session, chosenApp) {
  csrf = session?.csrf ?? '';
  app = session?.operator ? chosenApp : null;
}

/** Calls the API; the answer's `result`. Throws a {@link Refusal}. */
export const call = async (method, path, body, options) => (await envelope(method, path, body, options)).result;

/** Calls the API; the whole envelope, for lists that come with a `total`, and the answer's `etag` (null for
 * none). With `exact`, its numbers keep their spelling (lib/exact.js); with `everywhere`, an operator's call is
 * about no app in particular. */
export async function envelope(method, path, body, { signal, headers, quiet, exact, everywhere } = {}) {
  const sent = { Accept: 'application/json', ...headers };
  if (method !== 'GET') sent['X-CSRF-Token'] = csrf;
  if (app && !everywhere) sent['X-Fanfare-App'] = app;
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  const answer = await fetch(path, {
    method,
    headers: sent,
    body: body === undefined ? undefined : write(body),
    signal,
    credentials: 'same-origin',
  }).catch((error) => {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'The server cannot be reached.');
  });
  const read = await (exact ? answer.text().then(readExactly) : answer.json()).catch(() => ({ success: false, reason: answer.statusText }));
  if (answer.ok && read.success !== false) return { ...read, etag: answer.headers.get('ETag') };
  if (answer.status === 401 && !quiet) lost();
  throw new Refusal(answer.status, read.reason || `The server answered ${answer.status}.`);
}

export const get = (path, options) => call('GET', path, undefined, options);
export const post = (path, body = {}, options) => call('POST', path, body, options);
export const put = (path, body, options) => call('PUT', path, body, options);
export const patch = (path, body, options) => call('PATCH', path, body, options);
export const remove = (path, options) => call('DELETE', path, undefined, options);

/** The header that lets a call change only the version `etag`; none where that is not known. */
export const ifMatch = (etag) => (etag ? { 'If-Match': etag } : {});

/** A path of segments that people name: each is encoded. */
export const path = (strings, ...parts) =>
  strings.reduce((all, piece, index) => all + encodeURIComponent(parts[index - 1]) + piece);

/** `?a=1&b=2` of what is neither null, undefined nor empty. */
export function query(params) {
  const kept = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return kept.length ? `?${new URLSearchParams(kept)}` : '';
}
