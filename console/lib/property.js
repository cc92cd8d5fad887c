// A device's property between the API's JSON and what a person types.

import { Numeral } from './exact.js';

/** The types of values, in words. */
export const TYPES = { string: 'Text', integer: 'Whole number', float: 'Number', boolean: 'Yes or no' };

/** The type of one value as lib/exact.js reads it. */
export const typeOf = (value) => {
  if (value instanceof Numeral) return value.isWhole ? 'integer' : 'float';
  return typeof value;
};

/** The type of a property in words: `Text`, `List: whole number`. */
export function typeName(value) {
  if (!Array.isArray(value)) return TYPES[typeOf(value)];
  const types = new Set(value.map(typeOf));
  return types.size === 1 ? `List: ${TYPES[[...types][0]].toLowerCase()}` : 'List';
}

/** A single value as one reads it. */
export const shownValue = (value) => (typeof value === 'boolean' ? (value ? 'Yes' : 'No') : String(value));

/** What a form begins with for a property: its type, whether it is a list, and its text. */
export function typed(value) {
  const all = [value].flat();
  return {
    type: all.length ? typeOf(all[0]) : 'string',
    isList: Array.isArray(value),
    text: all.map((one) => String(one)).join('\n'),
    isMixed: new Set(all.map(typeOf)).size > 1,
  };
}

/** The property that a form says; throws a sentence where it does not fit its type. */
export function property({ type, isList, text }) {
  if (!isList) return one(type, type === 'string' ? text : text.trim());
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => one(type, line));
}

function one(type, text) {
  switch (type) {
    case 'integer':
      if (!/^-?\d+$/.test(text)) throw new Error(`“${text}” is not a whole number.`);
      return new Numeral(BigInt(text).toString());
    case 'float':
      return decimal(text);
    case 'boolean':
      if (!['true', 'false'].includes(text.toLowerCase())) throw new Error(`“${text}” is neither true nor false.`);
      return text.toLowerCase() === 'true';
    default:
      return text;
  }
}

/** A number that is not taken for a whole one. */
export function decimal(text) {
  const value = Number(text);
  if (!text.trim() || !Number.isFinite(value)) throw new Error(`“${text}” is not a number.`);
  const spelled = String(value);
  return new Numeral(/[.e]/.test(spelled) ? spelled : `${spelled}.0`);
}
