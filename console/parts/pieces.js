// Small pieces that pages are made of.

import { also, h } from '../lib/dom.js';
import { ago, percent, sum, time } from '../lib/format.js';
import { DELETED, SENT, STATUS } from '../lib/names.js';
import { failedMuch } from '../lib/progress.js';

/** The state of a notification's account (lib/progress.js). What is deleted after its launch was stopped; where
 * many failed that is said, and it is not green. */
export function statusBadge(account, launched) {
  const { status, done } = account;
  if (status === SENT && failedMuch(account)) return badge(`Sent, ${percent(sum(account.failed), done)} failed`, 'warn');
  return badge(status === DELETED && launched ? 'Stopped' : (STATUS[status]?.name ?? `State ${status}`), STATUS[status]?.tone);
}

/** From so many characters on a value is cut to some lines, until it is gone into. */
const LONG = 240;

/** A value that may be long; `contents` is how it is shown. */
export const clamped = (value, contents = value) => h('span.clamped', { tabIndex: String(value).length > LONG ? 0 : null }, contents);

/** A word with a colour: good, warn, bad, info, live or quiet. */
export const badge = (text, tone) => h('span.badge', { class: tone }, text);

/** A number with its name. */
export const tile = (label, value, under) =>
  h('div.tile', null, h('span.label', null, label), h('span.value', null, value), under && h('small.soft', null, under));

/** The head of a page. */
export const pageHead = (title, under, ...actions) =>
  h('header', null, h('div', null, h('h1', null, title), under && h('p.soft', null, under)), h('div.row', null, actions));

/** What stands where there is nothing yet. */
export const empty = (text, ...more) => h('div.empty', null, h('p', null, text), more);

/** What stands while something comes. */
export const loading = () => h('p.loading', { role: 'status' }, 'Loading …');

/** What stands where something did not come: why, and the way to ask again. */
export const trouble = (error, again) =>
  h('div.note.bad.row', { role: 'alert' },
    h('span.grow', null, error.message),
    // What a key may not see it will not be shown the second time either.
    again && error.status !== 403 && h('button.compact', { type: 'button', onclick: again }, 'Try again'));

/** A moment as one reads it, with its date and time for who asks. */
export const when = (text) => (text ? h('time.nowrap', { datetime: text, title: time(text) }, ago(text)) : '–');

/** Some lines to copy, with the button that does it. */
export const snippet = (label, text) =>
  h('div.snippet', null,
    h('pre', { 'aria-label': label, tabIndex: 0 }, text),
    h('button.compact', { type: 'button', onclick: ({ currentTarget: button }) => copy(text, button, button.previousSibling) }, 'Copy'));

/** Copies `text`, and says so on the button. Without a clipboard, which plain HTTP does not have, it marks
 * `shown`, where the text stands, for the keyboard to copy. */
export async function copy(text, button, shown) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    shown.focus();
    if (shown.select) shown.select();
    else getSelection().selectAllChildren(shown);
    button.textContent = 'Press Ctrl C';
  }
}

let fields = 0;

/**
 * A labelled field. `control(id, described)` makes the input; `problem` is what is wrong with it.
 */
export function field(label, make, { hint, problem, id = `field-${++fields}` } = {}) {
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ') || null;
  const control = also(make(id), { 'aria-describedby': described, 'aria-invalid': problem ? 'true' : null });
  return h('div.field', null,
    h('label', { for: id }, label),
    control,
    hint && h('span.hint', { id: `${id}-hint` }, hint),
    problem && h('span.problem', { id: `${id}-problem`, role: 'alert' }, problem));
}

/** A bar of parts: `[[tone, share of the whole from 0 to 1], …]`, said in words by `label`. */
export const bar = (label, parts, size) =>
  h('div.bar-track', { class: size, role: 'img', 'aria-label': label },
    parts.map(([tone, share]) => h('span', { class: tone, style: { width: `${100 * Math.min(Math.max(share, 0), 1)}%` } })));
