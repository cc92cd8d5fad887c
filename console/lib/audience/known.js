// What the devices of the app have: keys with their types, and values, as suggestions while somebody types.

import { get, query } from '../api.js';
import { count } from '../format.js';
import { DEVICE_KEYS, OPERATORS } from './operators.js';

const KEYS = 50;
const VALUES = 20;
const SHORT_TYPES = { string: 'text', integer: 'whole number', float: 'decimal number', boolean: 'yes or no' };

/** The keys and values that a server knows; `learned` is called when the types of a key came to be known. */
export function knownOf(learned) {
  const types = new Map();
  const asked = new Set();

  async function keys(prefix, signal) {
    const found = await get(`/audience/properties${query({ prefix, limit: KEYS })}`, { signal, quiet: true });
    for (const { key, types: its } of found) types.set(key, its);
    return found;
  }

  /** The types of a key; empty while nobody knows, and then they are asked for, once. */
  function typesOf(key) {
    if (!key || key in DEVICE_KEYS) return [];
    if (!types.has(key) && !asked.has(key)) {
      asked.add(key);
      keys(key).then(() => types.has(key) && learned()).catch(() => {});
    }
    return types.get(key) ?? [];
  }

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

  return { typesOf, suggestKeys, suggestValues };
}

const isOfKind = (type, kind) => ({ string: 'text', integer: 'integer', float: 'float', boolean: 'boolean' })[type] === kind;

function described(types, devices) {
  const words = types.map((type) => SHORT_TYPES[type] ?? type).join(', ');
  return devices === null || devices === undefined ? words : `${words}, ${count(devices, 'device')}`;
}
