// An audience in a sentence.

import { said } from '../zones.js';
import { OPERATORS, keyName, takesOf, valueName } from './operators.js';
import { isGroup } from './model.js';

/** The whole audience: `Every device`, or `Devices where …`. */
export const audienceInWords = (root) => (root ? `Devices where ${clauseInWords(root)}.` : 'Every device.');

/** One clause; groups within groups stand in parentheses. */
export function clauseInWords(node, within = false) {
  if (!isGroup(node)) return conditionInWords(node);
  const several = node.children.length > 1;
  const parts = node.children.map((child) => clauseInWords(child, several || node.join === 'NOT'));
  if (node.join === 'NOT') return several ? `none of these holds: (${parts.join('; ')})` : `not (${parts[0]})`;
  const joined = parts.join(node.join === 'OR' ? ' or ' : ' and ');
  return several && within ? `(${joined})` : joined;
}

function conditionInWords({ key, operator, value }) {
  const name = key ? keyName(key) : '…';
  const how = OPERATORS[operator]?.name ?? operator;
  const what = valueInWords(key, operator, value);
  return [name, how, what].filter(Boolean).join(' ');
}

function valueInWords(key, operator, value) {
  switch (takesOf(operator)) {
    case 'nothing':
      return '';
    case 'truth':
      return String(value) === 'true' ? 'yes' : 'no';
    case 'days':
      return `${value} ${Number(value) === 1 ? 'day' : 'days'}`;
    case 'moment':
      return Number.isNaN(Date.parse(value)) ? '…' : `${said(Date.parse(value), 'UTC')} UTC`;
    default:
      return Array.isArray(value) ? listed(value.map((each) => shown(key, operator, each))) : shown(key, operator, value);
  }
}

/** Texts stand in quotes; numbers do not, even where the API was told them as text. */
function shown(key, operator, value) {
  if (value === '' || value === null || value === undefined) return '…';
  const text = valueName(value, key);
  return OPERATORS[operator]?.kind === 'text' && key !== '@platform' ? `“${text}”` : text;
}

const MOST = 5;

function listed(values) {
  if (!values.length) return '…';
  if (values.length > MOST) return `${values.slice(0, MOST - 1).join(', ')} or ${values.length - MOST + 1} more`;
  return values.length === 1 ? values[0] : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
