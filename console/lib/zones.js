// Moments and what clocks show: a date and a time in any zone of the IANA, with the hours that do not
// exist or come twice when clocks are changed.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const WALL = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?$/;

const clocks = new Map();

/** What shows a zone's clock; throws a RangeError where there is no such zone. */
function clock(zone) {
  if (!clocks.has(zone)) {
    const parts = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' };
    clocks.set(zone, new Intl.DateTimeFormat('en-US', { timeZone: zone, calendar: 'gregory', hourCycle: 'h23', era: 'short', ...parts }));
  }
  return clocks.get(zone);
}

/** The zone of this browser. */
export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** Every zone that this browser knows, UTC first. */
export const zones = () => ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

/** Whether there is a zone of this name. */
export function isZone(name) {
  try {
    return Boolean(name) && Boolean(clock(name));
  } catch {
    return false;
  }
}

/** As `Date.UTC`, to which the year 20, on the way to 2026, is 1920. */
const utc = (year, month, day, hour, minute, second) => new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + Number(minute)) * 60 + Number(second)) * 1000;

/** How far ahead of UTC a zone's clock is at a moment, in milliseconds. */
export function offsetAt(moment, zone) {
  const shown = Object.fromEntries(clock(zone).formatToParts(moment).map(({ type, value }) => [type, value]));
  const { year, month, day, hour, minute, second } = shown;
  const asUtc = utc(year, month, day, hour, minute, second);
  return asUtc - Math.floor(moment / 1000) * 1000;
}

/**
 * The moments at which a zone's clock shows `wall` (`2026-03-29T02:30`): one as a rule, two in the hour
 * that comes twice, none in the hour that is left out. Null where the text is no date.
 */
export function momentsOf(wall, zone) {
  const asUtc = readWall(wall);
  if (asUtc === null) return null;
  const offsets = new Set([-DAY, 0, DAY].map((around) => offsetAt(asUtc + around, zone)));
  const moments = [...offsets].map((offset) => asUtc - offset);
  return moments.filter((moment) => moment + offsetAt(moment, zone) === asUtc).sort((a, b) => a - b);
}

/** The moment a left-out hour most likely means: as long after the change as the clock would have said. */
export function momentAfterGap(wall, zone) {
  const asUtc = readWall(wall);
  return asUtc - offsetAt(asUtc - DAY, zone);
}

function readWall(wall) {
  const found = WALL.exec(wall ?? '');
  if (!found) return null;
  const [, year, month, day, hour, minute, second = 0] = found.map(Number);
  const asUtc = utc(year, month, day, hour, minute, second || 0);
  // 31 April would be 1 May.
  return new Date(asUtc).getUTCDate() === day && hour < 24 && minute < 60 ? asUtc : null;
}

/** What a zone's clock shows at a moment, to the minute: `2026-03-29T03:30`. */
export const wallAt = (moment, zone) => new Date(moment + offsetAt(moment, zone)).toISOString().slice(0, 16);

/** `UTC+02:00`: how far ahead a zone is at a moment. */
export function offsetName(moment, zone) {
  const minutes = Math.round(offsetAt(moment, zone) / MINUTE);
  const two = (value) => String(Math.floor(value)).padStart(2, '0');
  return `UTC${minutes < 0 ? '−' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** `Sunday, 29 March 2026, 03:30`, on a zone's clock. */
export function said(moment, zone) {
  const parts = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' };
  return new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...parts }).format(moment).replace(' at ', ', ');
}
