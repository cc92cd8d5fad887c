// How the message looks on a phone and in a browser, and how much of a payload's room it takes.

import { h } from '../../lib/dom.js';
import { post } from '../../lib/api.js';
import { latest } from '../../lib/later.js';
import { number } from '../../lib/format.js';
import { providerName } from '../../lib/names.js';
import { bar } from '../../parts/pieces.js';

const QUIET_MS = 350;

/** Asks the server what would be sent, whenever the message has rested for a moment. */
export class PayloadSizes {
  sizes = null;
  problem = null;
  #ask = latest(QUIET_MS, (signal) => this.#fetch(signal));

  constructor(draft) {
    this.draft = draft;
    draft.watch(['message'], () => this.#ask());
    this.#ask();
  }

  async #fetch(signal) {
    const { form, content } = this.draft;
    // What is missing is said where it is missing; the time and the audience change no payload.
    if (!form.title.trim() || !form.body.trim()) return this.#tell(null, null);
    try {
      const { conditions, scheduled_at, ...rest } = content;
      this.#tell(await post('/notifications/-/:preview', rest, { signal }), null);
    } catch (error) {
      if (error.name === 'AbortError' || error.status === 404) return;
      // While one types, the field itself is left in peace: it may just not be finished.
      this.#tell(this.sizes, worded(error));
    }
  }

  #tell(sizes, problem) {
    Object.assign(this, { sizes, problem });
    this.draft.tell('sizes');
  }

  stop() {
    this.#ask.stop();
  }
}

const FIELDS = { image_url: 'Picture', icon_url: 'Icon', deep_link: 'Link', time_to_live: 'Keep trying for', collapse_id: 'Collapse id', data: 'Data' };

/** A refusal with the field's name on the screen in the place of the API's. */
function worded({ field, message }) {
  const name = FIELDS[field?.split('.')[0]];
  return name ? `${name}: ${message.slice(message.indexOf(': ') + 2)}.` : message;
}

/** Draws the previews and the sizes. `app` is the app's name. */
export const preview = (draft, sizes, app) =>
  h('section.card.previews', { 'aria-label': 'Preview' },
    h('header', null, h('h2', null, 'Preview')),
    device('iPhone', ios(draft.form, app)),
    device('Android', android(draft.form, app)),
    device('Browser', web(draft.form, app)),
    payloads(sizes));

const device = (name, shown) => h('figure.preview-device', null, h('figcaption.soft.small', null, name), shown);

const title = (form) => h('strong', { dir: 'auto', class: form.title ? null : 'missing' }, form.title || 'Title');
const body = (form) => h('p', { dir: 'auto', class: form.body ? null : 'missing' }, form.body || 'Text');

const ios = (form, app) =>
  h('div.preview-screen.ios', null,
    h('div.bubble', null,
      appIcon(app),
      h('div.grow', null, h('div.preview-line', null, title(form), h('small', null, 'now')), body(form)),
      picture(form.image_url, 'thumbnail')));

const android = (form, app) =>
  h('div.preview-screen.android', null,
    h('div.bubble', null,
      h('div.preview-line', null, appIcon(app), h('small.cut', null, app), h('small', null, '· now')),
      h('div.preview-line.top', null, h('div.grow', null, title(form), body(form)), picture(form.icon_url, 'thumbnail')),
      picture(form.image_url, 'large')));

const web = (form, app) =>
  h('div.preview-screen.web', null,
    h('div.bubble', null,
      picture(form.image_url, 'large'),
      h('div.preview-line.top', null,
        picture(form.icon_url, 'thumbnail') ?? appIcon(app),
        h('div.grow', null, title(form), body(form), h('small.cut', null, siteOf(form.deep_link) ?? `${app} · in the browser`)))));

const appIcon = (app) => h('span.app-icon', { 'aria-hidden': 'true' }, (app ?? '?').slice(0, 1).toUpperCase());

const siteOf = (link) => /^https?:\/\/([^/?#]+)/i.exec(link)?.[1];

/** A picture, where there is one that a browser may load. */
function picture(url, size) {
  if (!/^https:\/\/[^/]/i.test(url.trim())) return null;
  return h('img', {
    key: `${size}:${url}`, class: size, src: url.trim(), alt: '', referrerPolicy: 'no-referrer',
    onerror: ({ target }) => (target.hidden = true), onload: ({ target }) => (target.hidden = false),
  });
}

function payloads({ sizes, problem }) {
  if (problem) return h('p.problem', { role: 'alert' }, problem);
  if (!sizes) return h('p.soft.small', null, 'The size of the payload is shown once there is a title and a text.');
  return h('div.stack.tight', { 'aria-live': 'off' }, Object.entries(sizes).filter(([, size]) => size).map(payload));
}

function payload([provider, { payload: sent, bytes, limit, problem }]) {
  // What cannot be written at all has no size.
  if (!bytes) return h('p.problem', { key: provider }, `${providerName(provider)}: ${problem}.`);
  const share = bytes / limit;
  const tone = share > 1 || problem ? 'bad' : 'live';
  return h('div.payload', { key: provider },
    h('div.preview-line', null,
      h('span.grow', null, providerName(provider)),
      h('small.number', { class: tone === 'bad' ? 'bad-text' : 'soft' }, `${number(bytes)} of ${number(limit)} bytes`)),
    bar(`${providerName(provider)}: ${number(bytes)} of ${number(limit)} bytes`, [[tone, share]]),
    problem && h('p.problem', null, problem),
    sent && h('details', null, h('summary.small.soft', null, 'What is sent'), h('pre', { tabIndex: 0 }, JSON.stringify(sent, null, 2))));
}
