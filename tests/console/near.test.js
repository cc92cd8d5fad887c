// The property that somebody may have meant.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { distance, near } from '../../console/lib/audience/near.js';

const OPTIONS = ['age', 'country', 'country_code', 'plan', 'spent'].map((value) => ({ value, text: value }));
OPTIONS.push({ value: '@platform', text: 'Platform' }, { value: '@last_seen', text: 'Last seen' });
const meant = (word) => near(word, OPTIONS)?.value ?? null;

test('steps between words', () => {
  assert.equal(distance('contry', 'country'), 1);
  assert.equal(distance('cuontry', 'country'), 1);
  assert.equal(distance('', 'abc'), 3);
  assert.equal(distance('plan', 'plan'), 0);
});

test('what is near is meant, and nothing else', () => {
  assert.equal(meant('contry'), 'country');
  assert.equal(meant('Country'), 'country');
  assert.equal(meant('countrycode'), 'country_code');
  assert.equal(meant('platfrom'), '@platform');
  assert.equal(meant('last-seen'), '@last_seen');
  assert.equal(meant('agee'), 'age');
  assert.equal(meant('pet'), null);
  assert.equal(meant('zz'), null);
  assert.equal(meant('x'.repeat(100_000)), null);
  assert.equal(near('contry', []), null);
});
