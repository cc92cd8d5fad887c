// An audience in words: conditions as sentences.

import { h } from './dom.js';
import { DEVICE_KEYS, OPERATORS, keyName, takesOf, valueName } from './audience/operators.js';
import { ofDevice } from './audience/words.js';
import { time } from './format.js';

/** Whether conditions name anybody in particular. */
export const isEveryone = (conditions) =>
  !conditions || (!conditions.key && !conditions.join_type && !conditions.conditions?.length);

/** Conditions as nested lists of sentences. */
export function audience(conditions) {
  if (isEveryone(conditions)) return h('p', null, 'Everyone');
  return h('div.audience', null, clause(conditions));
}

function clause(node) {
  if (!node.conditions) return sentence(node);
  const items = node.conditions.map((child) => h('li', null, clause(child)));
  if (items.length === 1 && node.join_type !== 'NOT') return clause(node.conditions[0]);
  return [h('span.soft', null, JOINS[String(node.join_type).toUpperCase()] ?? node.join_type), h('ul', null, items)];
}

const JOINS = { AND: 'All of these hold:', OR: 'At least one of these holds:', NOT: 'None of these holds:' };

/** One comparison: `country is “KR”`, `Tagged “vip”`. */
export function sentence({ key, operator, value }) {
  const said = ofDevice({ key, operator });
  if (said) return [`${said[0].toUpperCase()}${said.slice(1)} `, what(key, operator, value)];
  const name = h(key in DEVICE_KEYS ? 'span' : 'code', null, keyName(key));
  return [name, ` ${OPERATORS[operator]?.name ?? operator} `, what(key, operator, value)];
}

function what(key, operator, value) {
  switch (takesOf(operator)) {
    case 'nothing':
      return null;
    case 'truth':
      return strong(String(value) === 'true' ? 'yes' : 'no');
    case 'moment':
      return strong(time(value));
    case 'days':
      return strong(Number(value) === 1 ? 'day' : `${value} days`);
    default:
      return values(key, value);
  }
}

function values(key, value) {
  const all = [value].flat();
  return all.map((one, index) => [index > 0 && (index === all.length - 1 ? ' or ' : ', '), strong(shown(key, one))]);
}

function shown(key, value) {
  const text = valueName(value, key);
  return typeof value === 'string' && key !== '@platform' ? `“${text}”` : text;
}

const strong = (text) => h('strong', null, text);
