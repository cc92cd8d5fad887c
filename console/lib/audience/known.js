// What the devices of the app have: keys with their types, and values, as suggestions while somebody types.

import { get, query } from '../api.js';
import { count } from '../format.js';
import { near } from './near.js';
import { DEVICE_KEYS, OPERATORS } from './operators.js';

const KEYS = 50;
const MOST_KEYS = 100;
const VALUES = 20;
const SHORT_TYPES = { string: 'text', integer: 'whole number', float: 'decimal number', boolean: 'yes or no' };

/** The keys and values that a server knows; `learned` is called when the types of a key came to be known. */
export function knownOf(learned) {
  const types = new Map();
  const asked = new Set();
  // Keys that no device has, each with the one that may be meant, or null.
  const missing = new Map();

  async function keys(prefix, signal, limit = KEYS) {
    const found = await get(`/audience/properties${query({ prefix, limit })}`, { signal, quiet: true });
    for (const { key, types: its } of found) types.set(key, its);
    return found;
  }

  /** The types of a key; empty while nobody knows, and then they are asked for, once. */
  function typesOf(key) {
    if (!key || key in DEVICE_KEYS) return [];
    if (!types.has(key) && !asked.has(key)) {
      asked.add(key);
      keys(key).then((found) => (types.has(key) ? learned() : miss(key, found))).catch(() => {});
    }
    return types.get(key) ?? [];
  }

  /** No device has this key: what else may be meant, unless it is begun only. */
  async function miss(key, longer) {
    const first = String.fromCodePoint(key.codePointAt(0));
    const [all, alike] = longer.length ? [[], []] : await Promise.all(['', first].map((prefix) => keys(prefix, undefined, MOST_KEYS).catch(() => [])));
    const own = Object.entries(DEVICE_KEYS).map(([value, { name }]) => ({ value, text: name }));
    const properties = [...longer, ...all, ...alike].map(({ key: value }) => ({ value, text: value }));
    const sole = longer.length === 1 ? properties[0] : null;
    missing.set(key, near(key, [...properties, ...own]) ?? sole);
    learned();
  }

  /** What is to be said of a key: null where devices have it or nobody knows, else `{ meant }`, another key as
   * a suggestion or null. */
  const missed = (key) => (missing.has(key) && !types.has(key) ? { meant: missing.get(key) } : null);

  async function suggestKeys(text, signal) {
    const wanted = text.toLowerCase();
    const own = Object.entries(DEVICE_KEYS)
      .filter(([key, { name }]) => key.startsWith(wanted) || name.toLowerCase().startsWith(wanted))
      .map(([key, { name }]) => ({ value: key, text: name, detail: key }));
    const found = text.startsWith('@') ? [] : await keys(text, signal).catch(() => []);
    const properties = found.map(({ key, types: its, devices }) => ({ value: key, text: key, detail: described(its, devices) }));
    return [...properties, ...own];
  }

  async function suggestValues(key, operator, text, signal) {
    if (!key || ['@alias', '@id', '@platform'].includes(key)) return [];
    const wanted = OPERATORS[operator]?.kind;
    const found = await get(`/audience/values${query({ key, prefix: text, limit: VALUES })}`, { signal, quiet: true }).catch(() => []);
    return found
      .filter(({ type }) => isOfKind(type, wanted))
      .map(({ value, devices }) => ({ value: String(value), detail: devices === null ? null : count(devices, 'device') }));
  }

  return { typesOf, missed, suggestKeys, suggestValues };
}

const isOfKind = (type, kind) => ({ string: 'text', integer: 'integer', float: 'float', boolean: 'boolean' })[type] === kind;

function described(types, devices) {
  const words = types.map((type) => SHORT_TYPES[type] ?? type).join(', ');
  return devices === null || devices === undefined ? words : `${words}, ${count(devices, 'device')}`;
}
