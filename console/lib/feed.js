// The live feed: one websocket for the page, its status kept up by merge patches, joined again after a cut.

import { get } from './api.js';

/** RFC 7396: what a patch makes of a value. The value itself is not changed. */
export function merged(value, patch) {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const base = value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
  // A map until it is done: set on an object, a member called `__proto__` would be its prototype.
  const result = new Map(Object.entries(base));
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) result.delete(key);
    else result.set(key, merged(result.get(key), change));
  }
  return Object.fromEntries(result);
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 45_000;
const ASK_MS = 20_000;
// The key or the session has ended, or nothing was heard for long: the server closes with the same code.
const REFUSED = 1008;

/** Whether the server still knows who calls. Where it does not, the call tells those who wait for that. */
const isSignedIn = () => get('/console/session').then(() => true, (error) => error.status !== 401);

export class Feed {
  /** The status as last told; null before the first. */
  status = null;
  /** The rates of two minutes before the last whole status, each second of them: `{ at, rates, campaigns }`. */
  before = null;
  /** `connecting`, `live` or `lost`. */
  state = 'connecting';
  #listeners = new Set();
  #app;
  #notification = null;
  #socket = null;
  #epoch = null;
  #seq = 0;
  #wait = FIRST_WAIT_MS;
  #timers = [];
  #closed = false;

  constructor(app) {
    this.#app = app;
    this.#join();
  }

  /** Calls `listener(feed)` at once and after every change; answers how to stop that. */
  watch(listener) {
    this.#listeners.add(listener);
    listener(this);
    return () => this.#listeners.delete(listener);
  }

  /** The one notification that is told of; null is all. */
  get focused() {
    return this.#notification;
  }

  /** Narrows the feed to one notification, with what the engine's actors do for it; null is all. */
  focus(notification) {
    if (this.#notification === notification) return;
    this.#notification = notification;
    this.#send({ type: 'watch', notification });
  }

  close() {
    this.#closed = true;
    this.#clear();
    this.#socket?.close();
    this.#listeners.clear();
  }

  #join() {
    const url = new URL('/ws/status', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    if (this.#app) url.searchParams.set('app', this.#app);
    if (this.#notification) url.searchParams.set('notification', this.#notification);
    // The server holds recent patches: after a short cut nothing needs to be sent again.
    if (this.#epoch && this.status) url.searchParams.set('resume', `${this.#epoch}.${this.#seq}`);
    const socket = (this.#socket = new WebSocket(url));
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => this.#again(socket, code);
    this.#expect(socket);
    this.#timers.push(setInterval(() => this.#send({ type: 'ping' }), ASK_MS));
  }

  /** Closes a socket that says nothing for too long: a cut cable tells nobody. */
  #expect(socket) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => socket.close(), SILENCE_MS);
    this.#timers.push(this.silence);
  }

  #hear(message) {
    this.#expect(this.#socket);
    switch (message.type) {
      case 'hello': {
        const at = message.resume.lastIndexOf('.');
        this.#epoch = message.resume.slice(0, at);
        this.#wait = FIRST_WAIT_MS;
        return this.#tell('live');
      }
      case 'snapshot':
        this.status = message.status;
        this.before = { at: Date.now(), ...message.history };
        this.#seq = message.seq;
        return this.#tell('live');
      case 'delta':
        this.status = merged(this.status, message.patch);
        this.#seq = message.seq;
        return this.#tell('live');
      default:
        return undefined;
    }
  }

  async #again(socket, code) {
    const isOver = () => this.#closed || socket !== this.#socket;
    if (isOver()) return;
    this.#clear();
    this.#tell('lost');
    if (code === REFUSED && (!(await isSignedIn()) || isOver())) return;
    this.#timers.push(setTimeout(() => this.#join(), this.#wait * (0.5 + Math.random() / 2)));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  #clear() {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers = [];
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #tell(state) {
    this.state = state;
    for (const listener of this.#listeners) listener(this);
  }
}
