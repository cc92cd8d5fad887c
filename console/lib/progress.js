// How far a campaign is: its record as the API answers it, and what the feed says of it meanwhile.

import { DELETED, DRAFT, ERROR, PAUSED, QUEUED, SENDING, SENT } from './names.js';
import { count, duration, number, percent, sum } from './format.js';
import { namesOf } from './outages.js';

/** Whether the engine works on it or will, so that its numbers may change. */
export const isActive = (status) => [SENDING, QUEUED, PAUSED].includes(status);

/**
 * One account of both: `{ status, sent, failed, reasons, done, expected, left, rate, eta, live }`. `sent` and
 * `failed` are by platform; `expected` and `left` are null where nobody knows them yet.
 */
export function progress(record, live) {
  // What the feed says is newer, except of a campaign that it keeps only for a look back.
  const newer = live && !(record && [SENT].includes(record.status) && live.status === SENT) ? live : null;
  const status = newer?.status ?? record?.status;
  const [sent, failed] = [newer?.sent ?? record?.sent ?? {}, newer?.failed ?? record?.failed ?? {}];
  const done = sum(sent) + sum(failed);
  const expected = status === SENT ? done : status === DRAFT ? null : (live?.expected ?? null);
  return {
    status,
    sent,
    failed,
    reasons: newer?.reasons ?? record?.reasons ?? {},
    done,
    expected,
    left: expected === null ? null : Math.max(0, expected - done),
    rate: newer?.per_second ?? 0,
    eta: status === SENDING ? (newer?.eta_seconds ?? null) : null,
    live: newer,
  };
}

/** From this share on failures are worth a word. */
const MUCH = 0.1;

/** Whether so many of those done failed that somebody should look. */
export const failedMuch = ({ done, failed }) => done > 0 && sum(failed) >= MUCH * done;

/** The parts of its bar. */
export function shares({ sent, failed, done, expected, status }) {
  // Of one that was stopped nobody knows any more how many it was for.
  if (status === DELETED && expected === null) return [];
  const whole = Math.max(expected ?? done, done);
  if (!whole) return [];
  return [[status === SENT ? 'good' : 'live', sum(sent) / whole], ['bad', sum(failed) / whole]];
}

/** `1,234 sent, 5 failed, 600 left` */
export function told({ sent, failed, left, status }) {
  const parts = [`${number(sum(sent))} sent`, `${number(sum(failed))} failed`];
  if (left !== null && status !== SENT) parts.push(`${number(left)} ${status === DELETED ? 'not reached' : 'left'}`);
  return parts.join(', ');
}

/** The one line under a bar: how fast, how long still. `away` are providers out of order (lib/outages.js). */
export function pace({ status, rate, eta, done, expected, left }, away = []) {
  if (status === SENDING) {
    if (expected === null && !done) return 'Finding its devices';
    if (away.length && !rate) return `${percent(done, expected)} · waits for ${namesOf(away)}`;
    const rest = eta !== null && left > 0 ? `, ${duration(eta)} left` : '';
    return `${percent(done, expected)} · ${count(rate, 'push', 'pushes')} a second${rest}`;
  }
  if (status === PAUSED) return expected ? `Paused at ${percent(done, expected)}` : 'Paused';
  if (status === ERROR) return expected ? `Stopped at ${percent(done, expected)}` : 'Stopped';
  return '';
}
