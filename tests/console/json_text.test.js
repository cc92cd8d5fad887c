// JSON as people write it: values, places, and mistakes by line.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Misread, readJson } from '../../console/lib/json_text.js';

test('it reads what JSON.parse reads', () => {
  const texts = ['{}', '[]', ' {"a": [1, -2.5e3, true, false, null, "x\\u00e4\\n"], "b": {"c": []}} ', '0', '"x"', '{"__proto__": 1}'];
  for (const text of texts) assert.deepEqual(readJson(text, 'r').value, JSON.parse(text), text);
});

test('it refuses what JSON.parse refuses, and names twice', () => {
  const texts = ['', '{', '[1,]', '{"a":1,}', "{'a':1}", '{"a" 1}', '01', '1 2', 'nul', '"\n"', '"abc', '{"a":1,"a":2}', '\u00a01'];
  for (const text of texts) assert.throws(() => readJson(text, 'r'), Misread, text);
});

test('a mistake is told by its line', () => {
  assert.throws(() => readJson('{\n  "a": 1,\n  "b" 2\n}', 'r'), { message: 'Line 3: a colon is expected after `b`' });
});

test('every part has its place', () => {
  const text = '{ "a": [ {"b": 12}, 3 ] }';
  const { places } = readJson(text, 'root');
  const at = (path) => text.slice(...places.get(path));
  assert.equal(at('root.a[0].b'), '12');
  assert.equal(at('root.a[0]'), '{"b": 12}');
  assert.equal(at('root.a[1]'), '3');
  assert.equal(at('root'), text);
});

test('numbers that would be rounded stay as they are written', () => {
  assert.deepEqual(readJson('[9007199254740993, 9007199254740991, 1e400, 0.1]', 'r').value, ['9007199254740993', 9007199254740991, '1e400', 0.1]);
});
