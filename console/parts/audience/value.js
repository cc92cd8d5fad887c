// The field for a condition's value, after what its operator takes.

import { h } from '../../lib/dom.js';
import { PLATFORM } from '../../lib/names.js';
import { ownZone, momentsOf, momentAfterGap, wallAt } from '../../lib/zones.js';
import { readValue, takesList, takesOf, valueName } from '../../lib/audience/operators.js';
import { tokens } from '../tokens.js';

const PLATFORMS = ['android', 'ios', 'web', 'unknown'];
const MODES = { integer: 'numeric', integers: 'numeric', decimal: 'decimal', decimals: 'decimal' };

/** `parts` are `{ node, set(value), suggest(text, signal), label, problem, described }`. */
export function valueField(parts) {
  const takes = takesOf(parts.node.operator);
  const make = { nothing: () => null, truth, days, moment }[takes];
  if (make) return make(parts);
  const isPlatform = parts.node.key === '@platform';
  if (takesList(parts.node.operator)) return list(parts, isPlatform);
  return isPlatform ? platform(parts, takes) : single(parts);
}

const named = ({ label, problem, described }) => ({
  'aria-label': label, 'aria-invalid': problem ? 'true' : null, 'aria-describedby': described ?? null, dataset: { part: 'value' },
});

const single = ({ node, set, suggest, label, problem, described }) =>
  h('combo-box', {
    key: 'single', label, value: node.value ?? '', suggest, problem, described, placeholder: 'Value', mode: MODES[takesOf(node.operator)],
    dataset: { part: 'value' }, onvalue: (text) => set(readValue(text, node.operator)),
  });

function list({ node, set, suggest, label, problem, described }, isPlatform) {
  return tokens({
    label, problem, described,
    values: Array.isArray(node.value) ? node.value : [],
    change: set,
    read: (text) => readValue(text.trim(), node.operator),
    name: (value) => valueName(value, node.key),
    suggest: isPlatform ? platformOptions(takesOf(node.operator) === 'integers') : suggest,
    mode: MODES[takesOf(node.operator)],
    closed: isPlatform,
  });
}

const numberOf = (platform) => ({ unknown: 0, android: 1, ios: 2, web: 3 })[platform];
const platformText = (platform) => PLATFORM[platform] ?? 'Unknown';

const platformOptions = (numbered) => async (text) =>
  PLATFORMS.filter((word) => platformText(word).toLowerCase().startsWith(text.toLowerCase()))
    .map((word) => ({ value: numbered ? numberOf(word) : word, text: platformText(word) }));

function platform(parts, takes) {
  const known = PLATFORMS.map((word) => [takes === 'integer' ? numberOf(word) : word, platformText(word)]);
  const now = parts.node.value ?? '';
  const isKnown = known.some(([value]) => String(value) === String(now));
  return h('select', {
    ...named(parts), key: 'platform', value: String(now),
    onchange: ({ target }) => parts.set(readValue(target.value, parts.node.operator)),
  },
    !isKnown && h('option', { value: String(now) }, now === '' ? 'Choose …' : String(now)),
    known.map(([value, text]) => h('option', { value: String(value) }, text)));
}

const truth = (parts) =>
  h('select', { ...named(parts), key: 'truth', value: String(parts.node.value ?? ''), onchange: ({ target }) => parts.set(target.value === 'true') },
    !['true', 'false'].includes(String(parts.node.value)) && h('option', { value: String(parts.node.value ?? '') }, 'Choose …'),
    h('option', { value: 'true' }, 'yes'),
    h('option', { value: 'false' }, 'no'));

// Numbers as somebody spelled them, by their nodes: `0.` on the way to `0.5` is not to become `0`.
const spelled = new Map();

function days(parts) {
  const { id, value, operator } = parts.node;
  const typed = spelled.get(id);
  const write = ({ target }) => {
    spelled.set(id, target.value);
    parts.set(readValue(target.value, operator));
  };
  return h('span.with-unit', { key: 'days' },
    h('input', {
      ...named(parts), type: 'text', inputMode: 'decimal', oninput: write,
      value: typed !== undefined && readValue(typed, operator) === value ? typed : String(value ?? ''),
    }),
    h('span', null, Number(value) === 1 ? 'day' : 'days'));
}

/** A moment on the clock of whoever writes; the API keeps it in UTC. */
function moment(parts) {
  const zone = ownZone();
  const at = Date.parse(parts.node.value);
  const read = (wall) => {
    const moments = momentsOf(wall, zone);
    return moments ? new Date(moments[0] ?? momentAfterGap(wall, zone)).toISOString().replace('.000', '') : '';
  };
  return h('input', {
    ...named(parts), key: 'moment', type: 'datetime-local', value: Number.isNaN(at) ? '' : wallAt(at, zone),
    oninput: ({ target }) => parts.set(read(target.value)),
  });
}
