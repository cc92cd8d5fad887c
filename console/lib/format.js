// Numbers and times as people read them.

const whole = new Intl.NumberFormat('en');
const rough = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** 12,345 */
export const number = (value) => whole.format(Math.round(value ?? 0));

/** 12.3K; whole below ten thousand. */
export const short = (value) => (Math.abs(value) < 10_000 ? number(value) : rough.format(value));

/** 1 device, 2 devices */
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** 42 %, with what is almost none or all said so. */
export function percent(part, of) {
  if (!of) return '0 %';
  const value = (100 * part) / of;
  if (value > 0 && value < 1) return '<1 %';
  if (value > 99 && value < 100) return '>99 %';
  return `${Math.round(value)} %`;
}

/** 3 s, 4 min, 2 h 5 min, 3 d 4 h */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 && s < 600 ? ` ${s % 60} s` : ''}`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

const today = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

/** The time of today, or date and time; in the zone of whoever looks. */
export function time(text) {
  if (!text) return '–';
  const at = new Date(text);
  return at.toDateString() === new Date().toDateString() ? today.format(at) : days.format(at);
}

/** The time alone. */
export const clock = (text) => today.format(new Date(text));

const wholeDays = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

/** Today, Yesterday, `Monday 23 November 2026` */
export function day(text, now = Date.now()) {
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  const at = new Date(text).toDateString();
  if (at === new Date(now).toDateString()) return 'Today';
  return at === before.toDateString() ? 'Yesterday' : wholeDays.format(new Date(text)).replace(',', '');
}

const moments = { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' };

/** `23 Nov 2026, 06:00 CET`: a time that something is to happen at, with its zone; that of whoever looks. */
export function scheduled(text, timeZone) {
  if (!text) return '–';
  const at = new Date(text);
  return `${new Intl.DateTimeFormat('en-GB', { ...moments, timeZone }).format(at)} ${zoneName(at, timeZone)}`;
}

/** Zones have names in some Englishes only; everywhere else their distance stands for them. */
function zoneName(at, timeZone) {
  const named = (locale) => new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' }).formatToParts(at).find(({ type }) => type === 'timeZoneName').value;
  const [british, american] = [named('en-GB'), named('en-US')];
  return /^(GMT|UTC)[+-]/.test(british) ? american : british;
}

/** in 5 min, 3 h ago, just now */
export function ago(text, now = Date.now()) {
  if (!text) return '–';
  const seconds = (now - new Date(text)) / 1000;
  if (Math.abs(seconds) < 5) return 'just now';
  const words = duration(Math.abs(seconds)).split(' ').slice(0, 2).join(' ');
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

/** The sum of `{android, ios, web}` and the like. */
export const sum = (counts) => Object.values(counts ?? {}).reduce((all, value) => all + value, 0);
