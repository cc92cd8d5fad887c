// The audience in words, and which operators suit which key.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fromJson } from '../../console/lib/audience/model.js';
import {
  OPERATORS, carried, firstOperator, operatorsFor, problemOf, readInteger, readValue, suits,
} from '../../console/lib/audience/operators.js';
import { audienceInWords } from '../../console/lib/audience/words.js';

const words = (json) => audienceInWords(fromJson(json));
const leaf = (key, operator, value) => ({ key, operator, value });
const joined = (join_type, ...conditions) => ({ join_type, conditions });

test('everyone, one condition, several', () => {
  assert.equal(words(null), 'Every device.');
  assert.equal(words(leaf('age', 'int_gte', 18)), 'Devices where age is at least 18.');
  assert.equal(
    words(joined('AND', leaf('country', 'str_in', ['KR', 'JP']), leaf('@platform', 'str_eq', 'ios'))),
    'Devices where country is one of “KR” or “JP” and Platform is iOS.',
  );
});

test('groups within groups stand in parentheses', () => {
  const either = joined('OR', leaf('a', 'bool_eq', true), leaf('b', 'exists'));
  assert.equal(
    words(joined('AND', either, joined('NOT', leaf('@tag', 'str_eq', 'vip')))),
    'Devices where (a is yes or b is set) and not tagged “vip”.',
  );
  assert.equal(
    words(joined('NOT', either, leaf('c', 'not_exists'))),
    'Devices where none of these holds: ((a is yes or b is set); c is not set).',
  );
  assert.equal(words(joined('AND', joined('AND', leaf('c', 'not_exists')))), 'Devices where c is not set.');
});

test('what is said of the device itself', () => {
  const week = leaf('@last_seen', 'time_within_days', 7);
  const vip = leaf('@tag', 'str_eq', 'vip');
  assert.equal(words(week), 'Devices seen in the last 7 days.');
  assert.equal(words(joined('NOT', vip)), 'Devices not tagged “vip”.');
  assert.equal(words(joined('AND', joined('NOT', week), leaf('age', 'int_gte', 18))), 'Devices not seen in the last 7 days and where age is at least 18.');
  assert.equal(words(joined('AND', leaf('age', 'int_gte', 18), leaf('@tag', 'str_in', ['a', 'b']))), 'Devices where age is at least 18 and tagged “a” or “b”.');
  assert.equal(words(joined('NOT', leaf('@tag', 'str_ne', 'vip'))), 'Devices where not (not tagged “vip”).');
  assert.equal(words(joined('OR', joined('AND', vip, week), leaf('c', 'exists'))), 'Devices where (tagged “vip” and seen in the last 7 days) or c is set.');
});

test('times, long lists and what is not written yet', () => {
  assert.equal(words(leaf('@last_seen', 'time_within_days', 1)), 'Devices seen in the last day.');
  assert.equal(
    words(leaf('@created_at', 'time_before', '2026-03-29T03:30:00+02:00')),
    'Devices first registered before Sunday, 29 March 2026, 01:30 UTC.',
  );
  assert.equal(words(leaf('n', 'int_in', [1, 2, 3, 4, 5, 6, 7])), 'Devices where n is one of 1, 2, 3, 4 or 3 more.');
  assert.equal(words(leaf('n', 'str_eq', '')), 'Devices where n is ….');
});

test('every operator is offered for a key whose type nobody knows', () => {
  const offered = operatorsFor('anything').flatMap(([, operators]) => operators.map(({ name }) => name));
  assert.deepEqual([...offered].sort(), Object.keys(OPERATORS).sort());
});

test('a type offers its own operators, and whether the key is there', () => {
  const groups = (key, types) => operatorsFor(key, types).map(([name]) => name);
  assert.deepEqual(groups('age', ['integer']), ['Whole number', 'Presence']);
  assert.deepEqual(groups('plan', ['string']), ['Text', 'Time', 'Presence']);
  assert.deepEqual(groups('x', ['float', 'boolean']), ['Decimal number', 'Yes or no', 'Presence']);
  assert.deepEqual(groups('@last_seen', ['string']), ['Time', 'Presence']);
  assert.equal(suits('int_eq', 'age', ['string']), false);
  assert.equal(firstOperator('@last_seen'), 'time_within_days');
  assert.equal(firstOperator('age', ['integer']), 'int_eq');
});

test('a value goes along to another operator as far as it means something there', () => {
  assert.deepEqual(carried('30', 'int_gte'), 30);
  assert.deepEqual(carried('thirty', 'int_gte'), '');
  assert.deepEqual(carried('KR', 'str_in'), ['KR']);
  assert.deepEqual(carried(['KR', 'JP'], 'str_eq'), 'KR');
  assert.deepEqual(carried('x', 'exists'), null);
  assert.deepEqual(carried('x', 'bool_eq'), true);
  assert.deepEqual(carried('x', 'time_within_days'), 7);
  assert.deepEqual(carried(5, 'str_eq'), '5');
});

test('whole numbers beyond what a browser counts keep their digits', () => {
  assert.equal(readInteger('9007199254740993'), '9007199254740993');
  assert.equal(readInteger('9223372036854775807'), '9223372036854775807');
  assert.equal(readInteger('9223372036854775808'), null);
  assert.equal(readInteger('1.5'), null);
  assert.equal(readValue('12x', 'int_eq'), '12x');
  assert.equal(readValue('1e3', 'float_eq'), 1000);
});

test('what is missing is said of the part that misses it', () => {
  assert.equal(problemOf(leaf('', 'str_eq', 'x')).part, 'key');
  assert.equal(problemOf(leaf('@nope', 'str_eq', 'x')).part, 'key');
  assert.equal(problemOf(leaf('a', 'int_about', 1)).part, 'operator');
  for (const [operator, value] of [
    ['str_eq', ''], ['int_eq', 'x'], ['int_in', []], ['int_in', [1, 'x']], ['float_gt', null], ['time_before', 'soon'],
    ['time_within_days', -1], ['bool_eq', 'maybe'],
  ]) {
    assert.equal(problemOf(leaf('a', operator, value))?.part, 'value', operator);
  }
  for (const [operator, value] of [
    ['str_eq', 'x'], ['int_eq', '30'], ['int_in', [1, '2']], ['exists', null], ['time_before', '2026-01-01T00:00:00Z'], ['bool_eq', false],
  ]) {
    assert.equal(problemOf(leaf('a', operator, value)), null, operator);
  }
});
