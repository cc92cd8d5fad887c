// The audience as conditions in groups, to be built by mouse and keyboard. It draws a tree and answers the
// next one; what a tree is, and every edit of it, is `lib/audience/model.js`.

import { h } from '../../lib/dom.js';
import { number, time } from '../../lib/format.js';
import { condition, doubled, edited, found, group, inserted, isGroup, moved, removed, unwrapped, wrapped } from '../../lib/audience/model.js';
import { DEVICE_KEYS, carried, firstOperator, holdsWithout, keyName, operatorsFor, suits, takesOf, valueName } from '../../lib/audience/operators.js';
import { clauseInWords } from '../../lib/audience/words.js';
import { ownZone } from '../../lib/zones.js';
import { icon } from '../icons.js';
import '../action_menu.js';
import '../combo_box.js';
import { dragging } from './drag.js';
import { valueField } from './value.js';

const JOINS = { AND: 'All of these', OR: 'Any of these', NOT: 'None of these' };
const BETWEEN = { AND: 'and', OR: 'or', NOT: 'nor' };

/**
 * Draws a tree. `parts`: `root()`, `change(root, focus)` (`focus`: `{ id, part }` to be focused after it is
 * drawn), `problems` (from a node's id to `{ part, text }`), `reasons` (from a node's id to why a device
 * matches there), `typesOf(key)`, `missed(key)` (what is to be said of a key that no device has), `left()` (a
 * property's field was left), `suggestKeys(text, signal)`, `suggestValues(key, operator, text, signal)`.
 */
export function builder(parts) {
  const root = parts.root();
  return h('div.builder', { ...dragging(parts), onkeydown: (event) => stepped(event, parts) }, root && clause(root, null, 0, parts));
}

/** Puts the focus where an edit left it; to be called after the drawing. */
export function refocus(element, { id, part }) {
  const clauses = element.querySelector(`[data-node="${id}"]`);
  clauses?.querySelector(`[data-part="${part}"]`)?.focus();
}

/** Alt and an arrow, or an arrow on the handle, moves a clause. */
function stepped(event, { root, change }) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const onHandle = event.target.dataset?.part === 'handle';
  if (!step || !(event.altKey || onHandle) || event.ctrlKey || event.metaKey) return;
  const clause = event.target.closest('[data-node]');
  if (!clause) return;
  event.preventDefault();
  const id = Number(clause.dataset.node);
  const part = event.target.closest('[data-part]')?.dataset.part ?? 'handle';
  change(moved(root(), id, step), { id, part });
}

function clause(node, parent, index, parts) {
  return isGroup(node) ? groupBox(node, parent, parts) : conditionRow(node, parent, parts);
}

function groupBox(node, parent, parts) {
  const { root, change, reasons } = parts;
  const add = (child, part) => change(inserted(root(), node.id, null, child), { id: child.id, part });
  const addGroup = () => {
    const child = condition();
    change(inserted(root(), node.id, null, group(node.join === 'OR' ? 'AND' : 'OR', [child])), { id: child.id, part: 'key' });
  };
  const reason = reasons?.get(node.id);
  return h('div.group', { key: node.id, class: [node.join.toLowerCase(), tone(reason, parent)], role: 'group', 'aria-label': `${JOINS[node.join]}: ${words(node)}`, dataset: { node: node.id } },
    h('div.group-head', null,
      parent && handle(node),
      h('select.join', {
        value: node.join, 'aria-label': 'How the conditions of this group are joined', dataset: { part: 'join' },
        onchange: ({ target }) => change(edited(root(), node.id, { join: target.value }), { id: node.id, part: 'join' }),
      }, Object.entries(JOINS).map(([join, name]) => h('option', { value: join }, name))),
      reason && verdict(reason, node, parent),
      h('span.grow'),
      parent && actions(node, parent, parts)),
    problemText(node, parts),
    h('div.children', null, node.children.map((child, at) => [
      at > 0 && h('span.between', { key: `between-${child.id}` }, BETWEEN[node.join]),
      clause(child, node, at, parts),
    ])),
    h('div.row.group-foot', null,
      h('button.compact', { type: 'button', onclick: () => add(condition(), 'key'), dataset: { part: 'add' } }, icon('plus'), 'Condition'),
      h('button.compact.plain', { type: 'button', onclick: addGroup }, icon('group'), 'Group')));
}

function conditionRow(node, parent, parts) {
  const { root, change, reasons, problems, typesOf } = parts;
  const set = (more, focus) => change(edited(root(), node.id, more), focus);
  const problem = problems.get(node.id);
  const hint = hintOf(node);
  const described = problem?.text || hint ? `clause-${node.id}` : null;
  const wrong = (part) => problem?.part === part;
  const reason = reasons?.get(node.id);
  return h('div.clause', { key: node.id, class: tone(reason, parent), role: 'group', 'aria-label': words(node), dataset: { node: node.id } },
    parent && handle(node),
    h('div.fields', null,
      h('combo-box.key', {
        label: 'Property', value: node.key, shown: node.key in DEVICE_KEYS ? keyName(node.key) : null, placeholder: 'Property',
        class: node.key in DEVICE_KEYS ? 'own' : null, suggest: parts.suggestKeys, closed: true, problem: wrong('key'), described, dataset: { part: 'key' },
        onvalue: (key) => set(keyed(node, key, typesOf(key))), onleft: parts.left,
      }),
      h('select.operator', {
        value: node.operator, 'aria-label': 'Comparison', 'aria-invalid': wrong('operator') ? 'true' : null, dataset: { part: 'operator' },
        onchange: ({ target: { value } }) => set({ operator: value, value: carried(node.value, value) }, { id: node.id, part: 'operator' }),
      }, operatorOptions(node, typesOf(node.key))),
      valueField({
        node, problem: wrong('value'), described, label: `Value of ${keyName(node.key) || 'the property'}`,
        set: (value) => set({ value }), suggest: (text, signal) => parts.suggestValues(node.key, node.operator, text, signal),
      })),
    actions(node, parent, parts),
    problemText(node, parts) ?? (hint && h('p.hint', { id: `clause-${node.id}` }, hint)),
    unknownKey(node, parts),
    reason && verdict(reason, node, parent));
}

/** A key that no device has is most likely misspelt; while it is typed it is only begun. */
function unknownKey(node, { root, change, missed, typesOf }) {
  const said = missed(node.key);
  if (!said || document.activeElement?.matches(`[data-node="${node.id}"] .key input`)) return null;
  const { meant } = said;
  const take = () => change(edited(root(), node.id, keyed(node, meant.value, typesOf(meant.value))), { id: node.id, part: 'key' });
  return h('p.hint.missed-key', { role: 'status', key: 'missed' },
    `No device has a property “${node.key}”.`, meant && [' Did you mean ', h('button.compact', { type: 'button', onclick: take }, meant.text), '?']);
}

/** What is to be known about a comparison. */
function hintOf({ operator }) {
  if (holdsWithout(operator)) return 'Holds for devices without this property too.';
  return takesOf(operator) === 'moment' ? `On the clock of ${ownZone()}.` : null;
}

/** Another key; an operator that does not suit it gives way to one that does. */
function keyed(node, key, types) {
  const keeps = suits(node.operator, key, types) || (!types.length && !(key in DEVICE_KEYS));
  if (keeps) return { key };
  const operator = firstOperator(key, types);
  return { key, operator, value: carried(node.value, operator) };
}

function operatorOptions({ key, operator }, types) {
  const groups = operatorsFor(key, types);
  const isOffered = groups.some(([, operators]) => operators.some(({ name }) => name === operator));
  const option = ({ name, text }) => h('option', { value: name }, text);
  return [
    !isOffered && option({ name: operator, text: operator || 'Choose …' }),
    groups.map(([name, operators]) => h('optgroup', { label: name }, operators.map(option))),
  ];
}

const words = (node) => clauseInWords(node);
/** Whether a clause is as its group wants it: within “none of these” it is when it does not hold. */
const isWanted = ({ matches }, parent) => matches !== (parent?.join === 'NOT');
const tone = (reason, parent) => reason && (isWanted(reason, parent) ? 'holds' : 'fails');

/** Not a button element: Firefox lets nobody drag one. */
const handle = (node) =>
  h('span.handle', {
    role: 'button', tabIndex: 0, draggable: true, dataset: { part: 'handle' }, title: 'Drag it, or move it with the arrow keys',
    'aria-label': `Move: ${words(node)}. Arrow keys move it up and down, into groups and out of them.`,
  }, icon('grip'));

function problemText(node, { problems }) {
  const problem = problems.get(node.id);
  return problem?.text ? h('p.problem', { id: `clause-${node.id}`, role: 'alert' }, problem.text) : null;
}

/** What a device has there, and whether that satisfies the clause. */
function verdict(reason, node, parent) {
  const { matches, actual, more, leaf } = reason;
  const isGood = isWanted(reason, parent);
  const said = matches ? (isGood ? 'Yes' : 'Yes, and it must not') : 'No';
  const values = [actual ?? []].flat().map((value) => actualName(value, node));
  const has = actual === null || actual === undefined ? 'The device does not have it.' : `The device has ${values.join(', ') || 'an empty list'}${more > 0 ? ` and ${number(more)} more` : ''}.`;
  return h('span.verdict', { class: isGood ? 'good' : 'bad' },
    icon(matches ? 'yes' : 'close'), h('span', null, said, leaf && '. '), leaf && h('span.soft.cut', { title: has }, has));
}

function actualName(value, { key, operator }) {
  const isTime = ['moment', 'days'].includes(takesOf(operator)) && !Number.isNaN(Date.parse(value));
  return isTime ? time(value) : valueName(value, key);
}

function actions(node, parent, { root, change }) {
  const { id } = node;
  const next = (tree, part = 'handle') => change(tree, { id, part });
  const twin = () => {
    const tree = doubled(root(), id);
    const place = found(tree, id);
    const made = place.parent.children[place.index + 1];
    change(tree, { id: made.id, part: 'handle' });
  };
  const items = [
    parent && { text: 'Move up', keys: 'Alt ↑', act: () => next(moved(root(), id, -1)) },
    parent && { text: 'Move down', keys: 'Alt ↓', act: () => next(moved(root(), id, 1)) },
    { text: 'Put into a group', act: () => next(wrapped(root(), id, 'OR')) },
    { text: 'Turn around (none of)', act: () => next(wrapped(root(), id, 'NOT')) },
    isGroup(node) && (parent || node.children.length === 1) && { text: 'Dissolve this group', act: () => change(unwrapped(root(), id)) },
    { text: 'Duplicate', act: twin },
  ];
  const remove = () => change(removed(root(), id), parent && { id: parent.id, part: 'add' });
  return h('span.clause-actions', null,
    h('action-menu', { label: `More for: ${words(node)}`, items: items.filter(Boolean) }),
    h('button.plain.compact.square', { type: 'button', 'aria-label': `Remove: ${words(node)}`, title: 'Remove', onclick: remove }, icon('close')));
}
