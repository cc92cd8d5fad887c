// An audience in a sentence.

import { said } from '../zones.js';
import { OPERATORS, keyName, takesOf, valueName } from './operators.js';
import { isGroup } from './model.js';

/** The whole audience: `Every device`, `Devices where …`, or `Devices tagged “vip” and where …`. */
export function audienceInWords(root) {
  if (!root) return 'Every device.';
  const isList = isGroup(root) && root.join !== 'NOT';
  const clauses = isList ? root.children : [root];
  // “where” stands once: before the first clause that does not speak of the device itself.
  const first = clauses.findIndex((node) => !speaksOfDevice(node));
  const within = isList && clauses.length > 1;
  const parts = clauses.map((node, index) => (index === first ? 'where ' : '') + clauseInWords(node, within));
  return `Devices ${parts.join(isList && root.join === 'OR' ? ' or ' : ' and ')}.`;
}

/** One clause; groups within groups stand in parentheses. */
export function clauseInWords(node, within = false) {
  if (!isGroup(node)) return conditionInWords(node);
  const several = node.children.length > 1;
  const parts = node.children.map((child) => clauseInWords(child, several || node.join === 'NOT'));
  if (node.join === 'NOT' && speaksOfDevice(node)) return `not ${parts[0]}`;
  if (node.join === 'NOT') return several ? `none of these holds: (${parts.join('; ')})` : `not (${parts[0]})`;
  const joined = parts.join(node.join === 'OR' ? ' or ' : ' and ');
  return several && within ? `(${joined})` : joined;
}

const OF_DEVICE = {
  '@tag': { str_eq: 'tagged', str_ne: 'not tagged', str_in: 'tagged', str_exists: 'tagged' },
  '@last_seen': { time_within_days: 'seen in the last', time_before: 'last seen before', time_after: 'last seen after' },
  '@created_at': { time_within_days: 'first registered in the last', time_before: 'first registered before', time_after: 'first registered after' },
};

/** How a comparison is said of the device itself (`tagged`, `seen in the last`); undefined where it is not. */
export const ofDevice = ({ key, operator }) => OF_DEVICE[key]?.[operator];

/** Whether a clause reads on from “devices”, and its opposite too. */
function speaksOfDevice(node) {
  if (!isGroup(node)) return Boolean(ofDevice(node));
  const [only, ...more] = node.children;
  if (!only || more.length) return false;
  return node.join === 'NOT' ? !isGroup(only) && Boolean(ofDevice(only)) && only.operator !== 'str_ne' : speaksOfDevice(only);
}

function conditionInWords({ key, operator, value }) {
  const said = ofDevice({ key, operator });
  if (said) return `${said} ${valueInWords(key, operator, value)}`;
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
      return Number(value) === 1 ? 'day' : `${value} days`;
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
