// The audience as a tree: nothing is lost between it and JSON, and edits do what they say.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  Misshapen, ROOT, atPath, canUnwrap, condition, doubled, edited, found, fromJson, group, inserted, moved, placed, removed,
  toJson, toText, unwrapped, walked, wrapped,
} from '../../console/lib/audience/model.js';
import { readJson } from '../../console/lib/json_text.js';

const NESTED = {
  join_type: 'AND',
  conditions: [
    { key: 'country', operator: 'str_in', value: ['KR', 'JP'] },
    {
      join_type: 'OR',
      conditions: [
        { key: 'age', operator: 'int_gte', value: '30' },
        { key: 'score', operator: 'float_lt', value: 1.5 },
        { join_type: 'NOT', conditions: [{ key: '@tag', operator: 'str_eq', value: 'vip' }, { key: 'plan', operator: 'not_exists' }] },
      ],
    },
    { key: 'a.b', operator: 'bool_eq', value: false },
  ],
};

/** As the server answers: all five keys, nulls included. */
function full(json) {
  const { conditions = null, key = null, value = null, operator = null, join_type = null } = json;
  return { conditions: conditions && conditions.map(full), key, value, operator, join_type };
}

/** The keys of the conditions, groups in brackets. */
const shape = (node) => (node === null ? '' : node.children ? `${node.join}[${node.children.map(shape).join(' ')}]` : node.key);

const tree = () => group('AND', [condition('a'), group('OR', [condition('b'), condition('c')]), condition('d')]);
const id = (root, key) => [...walked(root)].find(({ node }) => node.key === key).node.id;

test('a tree and its JSON say the same, with and without nulls', () => {
  assert.deepEqual(toJson(fromJson(NESTED)), NESTED);
  assert.deepEqual(toJson(fromJson(full(NESTED))), NESTED);
  assert.deepEqual(readJson(toText(fromJson(NESTED)), ROOT).value, NESTED);
});

test('nothing, null and an empty object are everyone', () => {
  for (const everyone of [null, undefined, {}, full({})]) assert.equal(fromJson(everyone), null);
  assert.equal(toJson(null), null);
  assert.equal(toText(null), '{}');
});

test('a lone condition, a missing join of one, and ignored fields are kept', () => {
  const lone = { key: 'age', operator: 'exists' };
  assert.deepEqual(toJson(fromJson(lone)), lone);
  assert.deepEqual(toJson(fromJson({ conditions: [lone] })), { join_type: 'AND', conditions: [lone] });
  const ignored = { join_type: 'OR', conditions: [lone], key: 'x', operator: 'y', value: [1] };
  assert.deepEqual(toJson(fromJson(ignored)), ignored);
  assert.deepEqual(toJson(fromJson({ ...lone, join_type: 'AND' })), { ...lone, join_type: 'AND' });
});

test('values of every type keep their type', () => {
  for (const value of ['30', 30, 1.5, true, false, [], [1, '2', false], { odd: 1 }, '']) {
    const json = { key: 'k', operator: 'str_eq', value };
    assert.deepEqual(toJson(fromJson(json)), json);
  }
});

test('what is no condition is refused by its path', () => {
  const wrong = [
    [[], 'conditions'],
    ['x', 'conditions'],
    [{ conditions: {} , join_type: 'AND' }, 'conditions.conditions'],
    [{ conditions: [], join_type: 'AND' }, 'conditions.conditions'],
    [{ conditions: [NESTED, null], join_type: 'AND' }, 'conditions.conditions[1]'],
    [{ conditions: [NESTED, NESTED] }, 'conditions.join_type'],
    [{ conditions: [NESTED], join_type: 'XOR' }, 'conditions.join_type'],
    [{ conditions: [NESTED, { key: 1 }], join_type: 'OR' }, 'conditions.conditions[1].key'],
    [{ conditions: [{ key: 'a', operater: 'b' }], join_type: 'OR' }, 'conditions.conditions[0].operater'],
  ];
  for (const [json, path] of wrong) {
    assert.throws(() => fromJson(json), (error) => error instanceof Misshapen && error.path === path, path);
  }
});

test('a path leads to its clause and the part of it', () => {
  const root = fromJson(NESTED);
  assert.equal(atPath(root, 'conditions.conditions[1].conditions[0].value').node.key, 'age');
  assert.equal(atPath(root, 'conditions.conditions[1].conditions[0].value[3]').rest, 'value[3]');
  assert.equal(atPath(root, 'conditions.join_type').node.id, root.id);
  assert.equal(atPath(root, 'conditions').rest, '');
  for (const { node, path } of walked(root)) assert.equal(atPath(root, path).node.id, node.id);
  assert.equal(atPath(root, 'title'), null);
});

test('adding begins a group where there is none', () => {
  assert.equal(shape(inserted(null, null, null, condition('a'))), 'AND[a]');
  assert.equal(shape(inserted(condition('a'), null, null, condition('b'))), 'AND[a b]');
  const root = tree();
  assert.equal(shape(inserted(root, root.children[1].id, 1, condition('x'))), 'AND[a OR[b x c] d]');
  assert.equal(shape(inserted(root, null, null, condition('x'))), 'AND[a OR[b c] d x]');
});

test('removing takes empty groups along', () => {
  let root = tree();
  root = removed(root, id(root, 'b'));
  assert.equal(shape(root), 'AND[a OR[c] d]');
  root = removed(root, id(root, 'c'));
  assert.equal(shape(root), 'AND[a d]');
  root = removed(removed(root, id(root, 'a')), id(root, 'd'));
  assert.equal(root, null);
});

test('wrapping and unwrapping', () => {
  let root = tree();
  root = wrapped(root, id(root, 'a'), 'NOT');
  assert.equal(shape(root), 'AND[NOT[a] OR[b c] d]');
  assert.equal(shape(unwrapped(root, root.children[1].id)), 'AND[NOT[a] b c d]');
  assert.equal(canUnwrap(root, root.id), false);
  assert.equal(unwrapped(root, root.id), root);
  assert.equal(shape(unwrapped(group('AND', [condition('z')]), undefined)), 'AND[z]');
  const lone = group('AND', [condition('z')]);
  assert.equal(shape(unwrapped(lone, lone.id)), 'z');
});

test('steps go past, into and out of groups, and back the same way', () => {
  let root = tree();
  const a = id(root, 'a');
  const down = ['AND[OR[a b c] d]', 'AND[OR[b a c] d]', 'AND[OR[b c a] d]', 'AND[OR[b c] a d]', 'AND[OR[b c] d a]', 'AND[OR[b c] d a]'];
  for (const wanted of down) assert.equal(shape((root = moved(root, a, 1))), wanted);
  const up = ['AND[OR[b c] a d]', 'AND[OR[b c a] d]', 'AND[OR[b a c] d]', 'AND[OR[a b c] d]', 'AND[a OR[b c] d]', 'AND[a OR[b c] d]'];
  for (const wanted of up) assert.equal(shape((root = moved(root, a, -1))), wanted);
});

test('a node is placed anywhere but within itself', () => {
  const root = tree();
  const inner = root.children[1];
  assert.equal(shape(placed(root, id(root, 'd'), inner.id, 1)), 'AND[a OR[b d c]]');
  assert.equal(shape(placed(root, id(root, 'a'), root.id, 3)), 'AND[OR[b c] d a]');
  assert.equal(placed(root, inner.id, inner.id, 0), root);
  const last = group('AND', [group('OR', [condition('x')]), condition('y')]);
  assert.equal(shape(placed(last, id(last, 'x'), last.id, 2)), 'AND[y x]');
});

test('edits leave the tree before them as it was, and copies have ids of their own', () => {
  const root = tree();
  const before = JSON.stringify(root);
  const twice = doubled(root, root.children[1].id);
  assert.equal(shape(twice), 'AND[a OR[b c] OR[b c] d]');
  assert.equal(new Set([...walked(twice)].map(({ node }) => node.id)).size, 9);
  assert.equal(found(edited(root, id(root, 'c'), { value: 'x' }), id(root, 'c')).node.value, 'x');
  assert.equal(JSON.stringify(root), before);
});
