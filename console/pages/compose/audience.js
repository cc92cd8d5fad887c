// The audience's part of the page: built or written as JSON, in words, counted, and explained.

import { drawn, h } from '../../lib/dom.js';
import { ago, number } from '../../lib/format.js';
import { PLATFORM, providerName, unreachableName } from '../../lib/names.js';
import { to } from '../../lib/router.js';
import { atPath, condition, conditionsOf, group, inserted, toText } from '../../lib/audience/model.js';
import { problemOf } from '../../lib/audience/operators.js';
import { knownOf } from '../../lib/audience/known.js';
import { audienceInWords } from '../../lib/audience/words.js';
import { builder, refocus } from '../../parts/audience/builder.js';
import { problemAt, readAudience, textField } from '../../parts/audience/text.js';
import { badge } from '../../parts/pieces.js';
import { icon } from '../../parts/icons.js';

const BEGINNINGS = [
  ['Seen in the last 7 days', () => condition('@last_seen', 'time_within_days', 7)],
  ['On iOS', () => condition('@platform', 'str_eq', 'ios')],
  ['With a tag', () => condition('@tag', 'str_eq', '')],
];

/** The part of the page; it draws itself. */
export function audience(draft, reach) {
  const state = { mode: 'builder', text: '', read: null };
  const known = knownOf(() => view.draw());
  const change = (root, focus) => {
    draft.change({ audience: root }, 'audience');
    if (focus) setTimeout(() => refocus(view.element, focus));
  };
  const add = (node) => change(inserted(draft.form.audience, null, null, node), { id: node.id, part: node.key ? 'value' : 'key' });
  const parts = { draft, reach, state, known, change, add, draw: () => view.draw() };
  const view = drawn(() => card(parts));
  draft.watch(['audience', 'reach'], () => view.draw());
  return view.element;
}

function card(parts) {
  const { draft, state } = parts;
  return h('section.card.whom', { 'aria-label': 'Audience' },
    h('header', null, h('h2', null, 'Audience'), modes(parts)),
    state.mode === 'text' ? asText(parts) : asConditions(parts),
    draft.form.audience && inWords(draft.form.audience),
    reached(parts),
    why(parts));
}

/** More than this is not read at a glance. */
const AT_A_GLANCE = 400;

function inWords(root) {
  const text = audienceInWords(root);
  if (text.length <= AT_A_GLANCE) return h('p.in-words', null, text);
  return h('details.in-words', null, h('summary', null, 'In words'), h('p', null, text));
}

function modes(parts) {
  const { state, draft } = parts;
  const choose = (mode) => {
    if (mode === 'builder' && draft.misread) return;
    if (mode === 'text') Object.assign(state, { text: toText(draft.form.audience), read: null });
    state.mode = mode;
    parts.draw();
  };
  const button = (mode, text) =>
    h('button.compact', {
      type: 'button', 'aria-pressed': String(state.mode === mode), onclick: () => choose(mode),
      disabled: mode === 'builder' && draft.misread, title: mode === 'builder' && draft.misread ? 'The JSON does not read yet' : '',
    }, text);
  return h('div.tabs', { role: 'group', 'aria-label': 'How the audience is written' }, button('builder', 'Builder'), button('text', 'JSON'));
}

function asConditions(parts) {
  const { draft, reach, known, change, add } = parts;
  if (!draft.form.audience) return everyone(add);
  return h('div.stack', { key: 'conditions' },
    builder({ root: () => draft.form.audience, change, problems: clauseProblems(draft), reasons: reach.reasons, left: parts.draw, ...known }),
    !draft.form.audience.children && h('div.row', null, h('button.compact', { type: 'button', onclick: () => add(condition()) }, icon('plus'), 'Condition')));
}

const everyone = (add) =>
  h('div.everyone', { key: 'everyone' },
    h('p', null, 'Without conditions it goes to every device of the app.'),
    h('div.row', null,
      h('button.compact.primary', { type: 'button', onclick: () => add(condition()) }, icon('plus'), 'Condition'),
      BEGINNINGS.map(([text, make]) => h('button.compact', { type: 'button', onclick: () => add(make()) }, text)),
      h('button.compact', { type: 'button', onclick: () => addGroup(add) }, icon('group'), 'Group')));

const addGroup = (add) => add(group('OR', [condition()]));

/** Problems by node: what is missing, once somebody wanted to go on or the value was begun; and the server's. */
function clauseProblems(draft) {
  const problems = new Map();
  for (const node of conditionsOf(draft.form.audience)) {
    const problem = problemOf(node);
    const begun = problem?.part === 'value' && node.value !== '' && node.value !== null && !Array.isArray(node.value);
    if (problem && (draft.strict || begun || problem.part === 'operator' || (problem.part === 'key' && node.key))) problems.set(node.id, problem);
  }
  if (draft.clauseProblem) {
    const place = atPath(draft.form.audience, draft.clauseProblem.path);
    const part = /^(key|operator|value)/.exec(place?.rest)?.[1];
    if (place) problems.set(place.node.id, { part, text: draft.clauseProblem.text });
  }
  return problems;
}

function asText(parts) {
  const { draft, state } = parts;
  const set = (text) => {
    state.text = text;
    state.read = readAudience(text);
    draft.misread = Boolean(state.read.problem);
    if (draft.misread) draft.tell('audience', 'state');
    else draft.change({ audience: state.read.root }, 'audience');
  };
  state.read ??= readAudience(state.text);
  return textField({
    text: state.text,
    problem: state.read.problem ?? problemInText(draft, state),
    change: set,
    back: draft.misread && (() => set(toText(draft.form.audience))),
  });
}

/** What the server refuses, or what is missing, at its place in the text. */
function problemInText({ clauseProblem, form, strict }, { read, text }) {
  if (clauseProblem) return problemAt(clauseProblem.path, clauseProblem.text, read.places, text);
  const wrong = strict || read.places.size > 1 ? firstProblem(form.audience) : null;
  return wrong && problemAt(wrong.path, wrong.text, read.places, text);
}

function firstProblem(node, path = 'conditions') {
  if (!node) return null;
  if (!node.children) {
    const problem = problemOf(node);
    return problem && { path: `${path}.${problem.part}`, text: problem.text };
  }
  for (const [index, child] of node.children.entries()) {
    const problem = firstProblem(child, `${path}.conditions[${index}]`);
    if (problem) return problem;
  }
  return null;
}

/** How many devices, who of them can be reached, and some of them. */
function reached({ draft, reach, draw }) {
  if (reach.problem) {
    return h('div.note.bad.row', { role: 'alert' }, h('span.grow', null, reach.problem),
      h('button.compact', { type: 'button', onclick: () => reach.again() }, 'Count again'));
  }
  const { count: counted, stale } = reach;
  const incomplete = draft.misread || Boolean(draft.clauseProblem) || conditionsOf(draft.form.audience).some(problemOf);
  if (!counted) return h('p.soft', { role: 'status' }, incomplete ? 'The count comes once the conditions are complete.' : 'Counting …');
  return h('div.reach', { class: stale ? 'stale' : null },
    h('div.reach-head', null,
      h('p.reach-total', { role: 'status' }, h('strong.number', null, number(counted.total)), ` ${counted.total === 1 ? 'device matches' : 'devices match'}`),
      stale && h('span.soft.small', null, incomplete ? 'Before the conditions that are not complete yet' : 'Counting …')),
    counts(counted),
    counted.total === 0 ? h('p.soft', null, 'Nothing matches. “Why” below tells for one device which condition it fails.') : sampled(reach, draw));
}

function counts({ reachable, unreachable }) {
  const chips = Object.entries(reachable).filter(([, value]) => value > 0)
    .map(([provider, value]) => h('span.chip.number', { class: provider }, providerName(provider), h('strong', null, number(value))));
  const missed = Object.entries(unreachable).filter(([, value]) => value > 0)
    .map(([reason, value]) => h('span.chip.number.missed', null, h('strong', null, number(value)), unreachableName(reason)));
  return h('dl.facts', null,
    h('dt', null, 'Reachable'), h('dd.row', null, chips.length ? chips : 'none'),
    missed.length > 0 && h('dt', null, 'Not reachable'), missed.length > 0 && h('dd.row', null, missed));
}

function sampled(reach, draw) {
  const toggle = ({ target }) => {
    if (reach.sampleOpen === target.open) return;
    reach.sampleOpen = target.open;
    draw();
  };
  return h('details.sample', { open: Boolean(reach.sampleOpen), ontoggle: toggle },
    h('summary', null, 'Some of them'),
    reach.sampleOpen && h('div.scroll', { tabIndex: 0, role: 'region', 'aria-label': 'Some of the devices that match' },
      h('table', null,
        h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Device'), h('th', { scope: 'col' }, 'Platform'), h('th', { scope: 'col' }, 'Last seen'), h('th', { scope: 'col' }, h('span.unseen', null, 'Why it matches')))),
        h('tbody', null, reach.sample.map((device) => sampleRow(device, reach))))));
}

const PLATFORM_WORDS = ['unknown', 'android', 'ios', 'web'];

const sampleRow = (device, reach) =>
  h('tr', { key: device.id },
    h('td', null, h('a.mono', { href: to(`/devices/${encodeURIComponent(device.external_id)}`), target: '_blank' }, device.external_id)),
    h('td', null, PLATFORM[PLATFORM_WORDS[device.device_platform]] ?? 'Unknown', device.pruned && h('span.soft', null, ' (token given up)')),
    h('td.nowrap', null, ago(device.last_seen)),
    h('td.end', null, h('button.compact.plain', { type: 'button', 'aria-label': `Why does ${device.external_id} match?`, onclick: () => reach.about(device.external_id) }, 'Why')));

function verdict({ matches, unsendable: reason }) {
  if (!matches) return badge('It does not match', 'bad');
  return reason ? badge(`It matches, but would not be sent to: ${reason}`, 'warn') : badge('It matches', 'good');
}

/** Why a device matches or not; the clauses themselves show their part of it. */
function why({ reach, draft }) {
  const { device, reason, reasonProblem } = reach;
  return h('div.why', null,
    h('label', { for: 'why-device' }, 'Why does a device match?'),
    h('div.row', null,
      h('input.mono', { id: 'why-device', type: 'text', autocomplete: 'off', spellcheck: false, placeholder: 'A device’s id', value: reach.typed, oninput: ({ target }) => reach.about(target.value) }),
      h('span.row', { role: 'status' },
        reason && verdict(reason),
        reason && draft.form.audience && h('span.soft.small', null, 'Each condition above says what the device has.'),
        reasonProblem && h('span.bad-text', null, reasonProblem)),
      reach.typed && h('button.compact.plain', { type: 'button', onclick: () => reach.about('') }, 'Clear')));
}

