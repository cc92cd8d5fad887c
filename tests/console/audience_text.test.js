// The audience as JSON that somebody typed or pasted.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toJson } from '../../console/lib/audience/model.js';
import { problemAt, readAudience } from '../../console/parts/audience/text.js';

const LEAF = '{"key": "age", "operator": "int_gte", "value": 18}';

test('conditions, a whole body, and nothing', () => {
  assert.deepEqual(toJson(readAudience(LEAF).root), JSON.parse(LEAF));
  assert.deepEqual(toJson(readAudience(`{"title": "x", "conditions": ${LEAF}}`).root), JSON.parse(LEAF));
  for (const everyone of ['', '  \n', '{}', 'null']) assert.equal(readAudience(everyone).root, null);
});

test('mistakes are shown where they stand', () => {
  const shown = (text) => {
    const { problem } = readAudience(text);
    return [problem.text, text.slice(problem.from, problem.to)];
  };
  assert.match(shown('{\n"key": }')[0], /^Line 2:/);
  const wrong = `{"join_type": "AND", "conditions": [\n${LEAF},\n{"key": 5}]}`;
  assert.deepEqual(shown(wrong), ['Line 3: conditions.conditions[1].key: must be a string', '5']);
  assert.deepEqual(shown(`{"title": "x", "conditions": {"key": 5}}`), ['Line 1: conditions.key: must be a string', '5']);
});

test('a refusal of the server is shown at its clause, or the nearest part that stands there', () => {
  const text = `{"join_type": "AND", "conditions": [\n${LEAF}]}`;
  const { places } = readAudience(text);
  const at = (path) => {
    const { from, to } = problemAt(path, 'no', places, text);
    return text.slice(from, to);
  };
  assert.equal(at('conditions.conditions[0].operator'), '"int_gte"');
  assert.equal(at('conditions.conditions[0].value[3]'), '18');
  assert.equal(at('conditions.conditions[0].nothing'), LEAF);
});
