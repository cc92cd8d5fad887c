// A campaign as it is being written, and as the API takes it: from one to the other, and what is missing.

import { fromJson, toJson, conditionsOf } from '../../lib/audience/model.js';
import { problemOf } from '../../lib/audience/operators.js';
import { isZone, momentsOf, wallAt } from '../../lib/zones.js';

export const UNITS = { seconds: 1, minutes: 60, hours: 3600, days: 86_400 };
const TEXTS = ['title', 'body', 'image_url', 'icon_url', 'deep_link', 'collapse_id', 'sound'];
const OPTIONAL = TEXTS.slice(2);
const COUNTS = ['badge', 'rate_limit'];

/** A form with nothing in it. */
export const blank = (zone) => ({
  ...Object.fromEntries([...TEXTS, ...COUNTS].map((name) => [name, ''])),
  time_to_live: '', unit: 'hours', priority: 'high', dry_run: false, data: [], audience: null,
  schedule: { later: false, wall: '', zone, second: false },
});

/** The form of a notification as the API answers it. */
export function formOf(notification, zone) {
  const form = blank(zone);
  for (const name of [...TEXTS, ...COUNTS]) form[name] = String(notification[name] ?? '');
  Object.assign(form, timeToLive(notification.time_to_live));
  form.priority = notification.priority ?? 'high';
  form.dry_run = Boolean(notification.dry_run);
  form.data = Object.entries(notification.data ?? {}).map(([key, value]) => ({ key, value }));
  form.audience = fromJson(notification.conditions);
  if (notification.scheduled_at) form.schedule = scheduleOf(Date.parse(notification.scheduled_at), zone);
  return form;
}

function timeToLive(seconds) {
  if (seconds === null || seconds === undefined) return {};
  const unit = ['days', 'hours', 'minutes'].find((name) => seconds && seconds % UNITS[name] === 0) ?? 'seconds';
  return { time_to_live: String(seconds / UNITS[unit]), unit };
}

function scheduleOf(moment, zone) {
  const wall = wallAt(moment, zone);
  const second = momentsOf(wall, zone).length > 1 && momentsOf(wall, zone)[1] <= moment;
  return { later: true, wall, zone, second };
}

/** What the API is told of a form; what is empty is null, so that an edit clears it. */
export function contentOf(form) {
  const moment = momentOf(form.schedule);
  return {
    title: form.title,
    body: form.body,
    ...Object.fromEntries(OPTIONAL.map((name) => [name, form[name].trim() || null])),
    ...Object.fromEntries(COUNTS.map((name) => [name, whole(form[name])])),
    time_to_live: form.time_to_live.trim() ? Math.round(Number(form.time_to_live) * UNITS[form.unit]) : null,
    priority: form.priority,
    dry_run: form.dry_run,
    data: Object.fromEntries(form.data.filter(({ key }) => key).map(({ key, value }) => [key, value])),
    conditions: toJson(form.audience),
    scheduled_at: moment === null ? null : new Date(moment).toISOString(),
  };
}

const whole = (text) => (text.trim() ? Number(text) : null);

/** The moment of a schedule; null for at once, and for what is no moment. */
export function momentOf({ later, wall, zone, second }) {
  if (!later || !isZone(zone)) return null;
  const moments = momentsOf(wall, zone) ?? [];
  return moments[second ? moments.length - 1 : 0] ?? null;
}

/** What keeps a form from being saved, by the API's names: `{ badge: 'Enter …' }`. */
export function problemsOf(form, now = Date.now()) {
  const problems = {};
  if (!form.title.trim()) problems.title = 'Enter a title.';
  if (!form.body.trim()) problems.body = 'Enter a text.';
  for (const name of ['badge', 'rate_limit']) {
    if (form[name].trim() && !/^\d{1,9}$/.test(form[name].trim())) problems[name] = 'Enter a whole number.';
  }
  const live = form.time_to_live.trim();
  if (live && !(Number(live) >= 0)) problems.time_to_live = 'Enter a number.';
  const keys = form.data.map(({ key }) => key).filter(Boolean);
  if (new Set(keys).size < keys.length) problems.data = 'A key is here twice.';
  if (form.data.some(({ key, value }) => !key && value)) problems.data = 'A value has no key.';
  if (conditionsOf(form.audience).some(problemOf)) problems.conditions = 'Complete the marked conditions.';
  const when = scheduleProblem(form.schedule, now);
  if (when) problems.scheduled_at = when;
  return problems;
}

export const PASSED = 'This moment has passed.';

/** Whether the last of the moments that a clock may mean is over. */
export const hasPassed = (moments, now = Date.now()) => moments.length > 0 && moments.at(-1) < now;

function scheduleProblem({ later, wall, zone }, now) {
  if (!later) return null;
  if (!isZone(zone)) return 'There is no such time zone.';
  const moments = momentsOf(wall, zone);
  if (!moments) return 'Enter a date and a time.';
  if (!moments.length) return 'The clocks are put forward then: this time does not exist in this time zone.';
  return hasPassed(moments, now) ? PASSED : null;
}

/** Whether a link says neither how it is to be opened nor that it is a place within the app (`/orders/1`). */
export function lacksScheme(link) {
  const text = link.trim();
  // `shop.com:8080` is a server and its port.
  const isServer = /^[\w-]+(\.[\w-]+)*(:\d+)?([/?#]|$)/.test(text);
  return text !== '' && !text.startsWith('/') && (isServer || !/^[a-z][a-z0-9+.-]*:/i.test(text));
}

/** A form as it can be kept as text. */
export const packed = (form) => ({ ...form, audience: toJson(form.audience) });
export const unpacked = (kept, zone) => ({ ...blank(zone), ...kept, audience: fromJson(kept.audience) });
