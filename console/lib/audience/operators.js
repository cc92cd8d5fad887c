// What a condition can look at and how it can compare: the API's keys and operators, their names for
// people, and which of them suit a property's type.

import { PLATFORM } from '../names.js';

/** The device's own keys. `kinds` are the groups of operators that the server takes for them. */
export const DEVICE_KEYS = {
  '@tag': { name: 'Tag', kinds: ['text'] },
  '@alias': { name: 'Alias', kinds: ['text'] },
  '@platform': { name: 'Platform', kinds: ['text', 'integer'] },
  '@last_seen': { name: 'Last seen', kinds: ['time'] },
  '@created_at': { name: 'First registered', kinds: ['time'] },
  '@timezone': { name: 'Time zone', kinds: ['text'] },
  '@locale': { name: 'Language', kinds: ['text'] },
  '@id': { name: 'Device number', kinds: ['integer'] },
};

/** Groups of operators, in the order in which they are offered. */
export const KINDS = {
  text: 'Text',
  integer: 'Whole number',
  float: 'Decimal number',
  boolean: 'Yes or no',
  time: 'Time',
  presence: 'Presence',
};

const COMPARISONS = { eq: 'is', ne: 'is not', gt: 'is more than', gte: 'is at least', lt: 'is less than', lte: 'is at most' };

const numbers = (prefix, kind, takes, list) => ({
  ...Object.fromEntries(Object.entries(COMPARISONS).map(([word, name]) => [`${prefix}_${word}`, { kind, takes, name }])),
  [`${prefix}_in`]: { kind, takes: list, name: 'is one of' },
});

/** Every operator: its group, what value it takes, and its name. */
export const OPERATORS = {
  str_eq: { kind: 'text', takes: 'text', name: 'is' },
  str_ne: { kind: 'text', takes: 'text', name: 'is not' },
  str_in: { kind: 'text', takes: 'texts', name: 'is one of' },
  str_prefix: { kind: 'text', takes: 'text', name: 'starts with' },
  str_contains: { kind: 'text', takes: 'text', name: 'contains' },
  str_exists: { kind: 'text', takes: 'text', name: 'has in its list' },
  ...numbers('int', 'integer', 'integer', 'integers'),
  ...numbers('float', 'float', 'decimal', 'decimals'),
  bool_eq: { kind: 'boolean', takes: 'truth', name: 'is' },
  time_before: { kind: 'time', takes: 'moment', name: 'is before' },
  time_after: { kind: 'time', takes: 'moment', name: 'is after' },
  time_within_days: { kind: 'time', takes: 'days', name: 'is in the last' },
  exists: { kind: 'presence', takes: 'nothing', name: 'is set' },
  not_exists: { kind: 'presence', takes: 'nothing', name: 'is not set' },
};

const KINDS_OF_TYPE = { string: ['text', 'time'], integer: ['integer'], float: ['float'], boolean: ['boolean'] };
const FIRST = { text: 'str_eq', integer: 'int_eq', float: 'float_gte', boolean: 'bool_eq', time: 'time_within_days' };
const LISTS = { texts: 'text', integers: 'integer', decimals: 'decimal' };

/** A key as people call it. */
export const keyName = (key) => DEVICE_KEYS[key]?.name ?? key;

/** What one value of an operator is: `text`, `integer`, …; for lists, what each of them is. */
export const takesOf = (operator) => OPERATORS[operator]?.takes ?? 'text';

/** Whether an operator compares with several values. */
export const takesList = (operator) => takesOf(operator) in LISTS;

/** Whether a device that does not have the key satisfies it too. */
export const holdsWithout = (operator) => operator.endsWith('_ne');

/** The groups of operators for a key, whose property types are known or not (empty). */
export function kindsFor(key, types = []) {
  const known = DEVICE_KEYS[key]?.kinds ?? types.flatMap((type) => KINDS_OF_TYPE[type] ?? []);
  return [...(known.length ? known : ['text', 'integer', 'float', 'boolean', 'time']), 'presence'];
}

/** The operators for a key, grouped: `[[group's name, [{ name, text }, …]], …]`. */
export function operatorsFor(key, types) {
  const wanted = kindsFor(key, types);
  // A list is a property's or the tags'; the other device's own keys hold one text.
  const fits = (name) => name !== 'str_exists' || !(key in DEVICE_KEYS) || key === '@tag';
  const named = (name) => ({ name, text: OPERATORS[name].name });
  const of = (kind) => Object.keys(OPERATORS).filter((name) => OPERATORS[name].kind === kind && fits(name)).map(named);
  return Object.keys(KINDS).filter((kind) => wanted.includes(kind)).map((kind) => [KINDS[kind], of(kind)]);
}

/** Whether an operator is among those for a key. */
export const suits = (operator, key, types) => kindsFor(key, types).includes(OPERATORS[operator]?.kind);

/** The operator that a key begins with. */
export const firstOperator = (key, types) => FIRST[kindsFor(key, types)[0]];

/** A value as another operator takes it, as far as it means something there. */
export function carried(value, operator) {
  const takes = takesOf(operator);
  if (takes === 'nothing') return null;
  const one = LISTS[takes] ?? takes;
  const given = [value].flat().filter((each) => each !== null && each !== undefined && each !== '');
  const kept = given.map((each) => converted(each, one)).filter((each) => each !== null);
  if (takesList(operator)) return kept;
  return kept[0] ?? { truth: true, days: 7 }[takes] ?? '';
}

function converted(value, takes) {
  const text = String(value);
  switch (takes) {
    case 'text':
      return text;
    case 'integer':
      return readInteger(text);
    case 'decimal':
      return readDecimal(text);
    case 'truth':
      return typeof value === 'boolean' ? value : null;
    case 'moment':
      return typeof value === 'string' && /^\d{4}-/.test(text) ? text : null;
    default:
      return typeof value === 'number' && value >= 0 ? value : null;
  }
}

/** A whole number; beyond what a browser counts exactly, its digits as text. Null where it is none. */
export function readInteger(text) {
  const digits = text.trim().replace(/^\+/, '');
  if (!/^-?\d+$/.test(digits)) return null;
  const most = 2n ** 63n;
  if (BigInt(digits) >= most || BigInt(digits) < -most) return null;
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : digits;
}

/** A decimal number, or null. */
export function readDecimal(text) {
  const given = text.trim();
  return given && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(given) && Number.isFinite(Number(given)) ? Number(given) : null;
}

/** Typed text as an operator's value; what does not read stays text, so that nothing typed is lost. */
export function readValue(text, operator) {
  const one = LISTS[takesOf(operator)] ?? takesOf(operator);
  if (one === 'integer') return readInteger(text) ?? text;
  if (one === 'decimal' || one === 'days') return readDecimal(text) ?? text;
  return text;
}

/** A value as people read it: platforms by their names. */
export function valueName(value, key) {
  if (key === '@platform') {
    const numbered = ['unknown', 'android', 'ios', 'web'];
    const word = numbered[value] ?? value;
    return PLATFORM[word] ?? String(word);
  }
  return String(value);
}

/** What is still missing or wrong in a condition: `{ part, text }`, or null. */
export function problemOf({ key, operator, value }) {
  if (!key) return { part: 'key', text: 'Choose a property.' };
  if (key.startsWith('@') && !(key in DEVICE_KEYS)) return { part: 'key', text: `There is no “${key}”.` };
  if (!(operator in OPERATORS)) return { part: 'operator', text: `“${operator}” is not an operator.` };
  const takes = takesOf(operator);
  if (takes === 'nothing') return null;
  if (!takesList(operator)) return wrong(value, takes);
  if (!Array.isArray(value) || !value.length) return { part: 'value', text: 'Add at least one value.' };
  return value.map((each) => wrong(each, LISTS[takes])).find(Boolean) ?? null;
}

function wrong(value, takes) {
  const problem = (text) => ({ part: 'value', text });
  const text = value === null || value === undefined ? '' : String(value);
  switch (takes) {
    case 'text':
      return typeof value === 'string' && value ? null : problem('Enter a text.');
    case 'integer':
      return readInteger(text) === null ? problem('Enter a whole number.') : null;
    case 'decimal':
      return readDecimal(text) === null ? problem('Enter a number.') : null;
    case 'truth':
      return ['true', 'false'].includes(text) ? null : problem('Choose yes or no.');
    case 'days': {
      const days = readDecimal(text);
      return days === null || days < 0 || days > 36500 ? problem('Enter a number of days.') : null;
    }
    default:
      return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? null : problem('Enter a date and time.');
  }
}
