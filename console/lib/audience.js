// An audience in words: conditions as sentences.

import { h } from './dom.js';
import { time } from './format.js';

const OWN = {
  '@tag': 'a tag',
  '@alias': 'the alias',
  '@platform': 'the platform',
  '@last_seen': 'last seen',
  '@created_at': 'first seen',
  '@timezone': 'the time zone',
  '@locale': 'the language',
  '@id': 'the number',
};

const OPERATORS = {
  eq: 'is',
  ne: 'is not',
  gt: 'is over',
  gte: 'is at least',
  lt: 'is under',
  lte: 'is at most',
  in: 'is one of',
  exists: 'has',
  prefix: 'begins with',
  contains: 'contains',
};

const PLATFORMS = ['unknown', 'Android', 'iOS', 'Web'];

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

/** One comparison: `country is “KR”`. */
export function sentence({ key, operator, value }) {
  const name = h(OWN[key] ? 'span' : 'code', null, OWN[key] ?? key);
  switch (operator) {
    case 'exists':
      return [name, ' is there'];
    case 'not_exists':
      return [name, ' is not there'];
    case 'time_before':
      return [name, ' before ', strong(time(value))];
    case 'time_after':
      return [name, ' after ', strong(time(value))];
    case 'time_within_days':
      return [name, ' within the last ', strong(`${value} ${Number(value) === 1 ? 'day' : 'days'}`)];
    default: {
      const word = String(operator).slice(String(operator).indexOf('_') + 1);
      return [name, ` ${OPERATORS[word] ?? operator} `, values(key, value)];
    }
  }
}

function values(key, value) {
  const all = [value].flat();
  return all.map((one, index) => [index > 0 && (index === all.length - 1 ? ' or ' : ', '), strong(shown(key, one))]);
}

function shown(key, value) {
  if (key === '@platform' && PLATFORMS[value]) return PLATFORMS[value];
  return typeof value === 'string' ? `“${value}”` : String(value);
}

const strong = (text) => h('strong', null, text);
