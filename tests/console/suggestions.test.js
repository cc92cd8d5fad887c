// What a typed text stands for among suggestions.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { others, taken } from '../../console/lib/suggestions.js';

const zones = [{ value: 'Asia/Seoul' }];
const keys = [{ value: 'tagged', text: 'tagged' }, { value: '@tag', text: 'Tag' }];

test('the only one is taken where it is to be, and nothing for nothing', () => {
  assert.equal(taken(zones, 'Seoul', true), 'Asia/Seoul');
  assert.equal(taken(zones, 'Seoul', false), null);
  assert.equal(taken(zones, ' ', true), null);
  assert.equal(taken(keys, 'ta', true), null);
  assert.equal(taken([], 'ta', true), null);
});

test('one of that name is taken, capital letters or not', () => {
  assert.equal(taken(keys, 'tag', false), '@tag');
  assert.equal(taken(keys, 'TAGGED', false), 'tagged');
});

test('what is spelled as one of them stays, whatever else is begun so', () => {
  assert.equal(taken([{ value: 'age' }, { value: 'age_group' }], 'age', true), null);
  assert.equal(taken([{ value: 'tag' }, ...keys], 'tag', true), null);
  assert.deepEqual(others([{ value: 7 }, { value: '70' }], '7'), [{ value: '70' }]);
});
