// The campaign that is being written: its form, whether it is saved, what is wrong with it. Views draw it
// and change it; what was typed is kept for this window until it is saved.

import { atPath } from '../../lib/audience/model.js';
import { envelope, ifMatch, path, post, Refusal } from '../../lib/api.js';
import { rename } from '../../lib/router.js';
import { contentOf, packed, problemsOf, unpacked } from './content.js';

const KEEP_MS = 250;

/** A name that nobody else has; without `crypto.randomUUID`, which plain HTTP does not have. */
const unique = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export class Draft {
  /** Problems by the API's field names: ours from the last attempt to save, and the server's. */
  problems = {};
  /** What a problem of the server's is about: `{ path, text }` within the conditions. */
  clauseProblem = null;
  /** Whether all that is missing is shown, rather than what was touched. */
  strict = false;
  busy = null;
  savedAt = null;
  restored = false;
  /** Whether the audience's text does not read: then nothing may be saved. */
  misread = false;
  #views = [];
  #timer = null;
  #keys;

  /** `place` is where it is kept for this window; `stored` the notification that it edits, or null, and `etag`
   * which version of it. */
  constructor(form, { place, stored, etag = null, zone, copied }) {
    this.form = form;
    this.place = place;
    this.zone = zone;
    this.uuid = stored?.uuid ?? null;
    this.etag = etag;
    // A copy of another campaign is not saved yet.
    this.saved = copied ? null : JSON.stringify(contentOf(form));
    this.#keys = { create: unique(), launch: unique(), created: null };
    if (!copied) this.#restore();
  }

  /** Calls `draw` after changes of one of these topics: message, audience, schedule, state. */
  watch(topics, draw) {
    this.#views.push({ topics, draw });
  }

  tell(...topics) {
    for (const view of this.#views) if (topics.some((topic) => view.topics.includes(topic))) view.draw();
  }

  /** Parts of the form changed. */
  change(parts, topic = 'message') {
    Object.assign(this.form, parts);
    for (const name of Object.keys(parts)) delete this.problems[name];
    if ('audience' in parts) this.clauseProblem = null;
    if ('schedule' in parts) delete this.problems.scheduled_at;
    for (const name of Object.keys(this.problems)) if ('data' in parts && name.startsWith('data')) delete this.problems[name];
    this.#keepSoon();
    this.tell(topic, 'state');
  }

  get content() {
    return contentOf(this.form);
  }

  /** Whether there is something that is not saved. */
  get dirty() {
    return JSON.stringify(this.content) !== this.saved;
  }

  /** Shows what is missing; answers whether nothing is. */
  complete() {
    this.strict = true;
    this.problems = problemsOf(this.form);
    this.tell('message', 'audience', 'schedule', 'state');
    return !Object.keys(this.problems).length && !this.misread;
  }

  /** Writes it to the server, if it differs from what is there; answers whether it did. Throws a Refusal, of
   * status 412 where another version is stored than the one that this window knows. */
  async save() {
    const content = this.content;
    const text = JSON.stringify(content);
    if (this.uuid && text === this.saved) {
      await this.#standsStill();
      return false;
    }
    if (this.uuid) {
      const { etag } = await envelope('PUT', path`/notifications/${this.uuid}`, content, { headers: ifMatch(this.etag) });
      this.etag = etag;
    } else {
      // A repeat of the same creation answers what the first one made; other content is another creation.
      if (this.#keys.created !== text) Object.assign(this.#keys, { create: unique(), created: text });
      this.keep();
      const { result: made, etag } = await envelope('POST', '/notifications', content, { headers: { 'Idempotency-Key': this.#keys.create } });
      Object.assign(this, { uuid: made.uuid, etag });
      this.forget();
      this.place = this.place.replace(/new$/, made.uuid);
      rename(`/campaigns/${made.uuid}/edit`);
    }
    this.saved = text;
    this.savedAt = new Date();
    this.restored = false;
    this.keep();
    return true;
  }

  /** Throws where what is stored is not what this window last read or wrote. */
  async #standsStill() {
    if (!this.etag) return;
    const { etag } = await this.stored();
    if (etag !== this.etag) throw new Refusal(412, 'This draft was changed elsewhere.');
  }

  /** What the server has: `{ result, etag }`. */
  stored() {
    return envelope('GET', path`/notifications/${this.uuid}`);
  }

  /** The next saving may replace the version `etag`, which somebody has seen. */
  replaces(etag) {
    Object.assign(this, { etag, saved: null });
  }

  /** Launches what is saved; however often it is called, once. Throws a Refusal, of status 412 where something
   * else is stored by now. */
  async launch() {
    this.keep();
    try {
      await post(path`/notifications/${this.uuid}/:launch`, {}, { headers: { ...ifMatch(this.etag), 'Idempotency-Key': this.#keys.launch } });
    } catch (error) {
      // Nothing was launched, and the next launch is of another version.
      if (error.status === 412) this.#keys.launch = unique();
      throw error;
    }
    this.saved = JSON.stringify(this.content);
    this.forget();
  }

  /** Puts a refusal where it belongs; answers whether there is such a place. */
  refused(error) {
    const field = error.field ?? '';
    if (field === 'conditions' || field.startsWith('conditions.')) {
      if (!atPath(this.form.audience, field)) return false;
      this.clauseProblem = { path: field, text: plain(error.message) };
      this.tell('audience', 'state');
      return true;
    }
    const name = field.startsWith('data') ? 'data' : field;
    if (!(name in this.content)) return false;
    this.problems[name] = plain(error.message);
    this.tell('message', 'schedule', 'state');
    return true;
  }

  #keepSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.keep(), KEEP_MS);
  }

  /** Keeps it for this window, so that a reload loses nothing; what is saved needs no keeping. */
  keep() {
    clearTimeout(this.#timer);
    if (this.closed) return;
    if (!this.dirty) return this.forget();
    const kept = { form: packed(this.form), uuid: this.uuid, saved: this.saved, etag: this.etag, keys: this.#keys };
    try {
      sessionStorage.setItem(this.place, JSON.stringify(kept));
    } catch {
      // A window without storage, or a full one: then a reload loses it, and leaving asks.
    }
  }

  forget() {
    clearTimeout(this.#timer);
    sessionStorage.removeItem(this.place);
  }

  #restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.place));
      if (!kept) return;
      this.form = unpacked(kept.form, this.zone);
      this.#keys = kept.keys;
      this.restored = this.dirty;
      // It was written over that version, whatever is stored by now.
      if (this.dirty) this.etag = kept.etag ?? this.etag;
    } catch {
      sessionStorage.removeItem(this.place);
    }
  }

  /** Gives up what is not saved. */
  discard() {
    this.forget();
    this.saved = JSON.stringify(this.content);
    this.closed = true;
  }

  /** The page is left. */
  close() {
    this.keep();
    this.closed = true;
  }
}

/** The server's sentence without the field in front, as a sentence of its own. */
function plain(message) {
  const text = message.replace(/^`?[\w.[\]@-]+`?: /, '');
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
