import assert from "node:assert/strict";
import { test } from "node:test";

import { filled, remembered } from "../../console/lib/history.js";

test("what the server remembers ends at its moment, a sample a second", () => {
  const samples = remembered(10_000, { apns: [1, 2, 3], fcm: [9] }, 4);
  assert.deepEqual(samples.map(({ at }) => at), [7000, 8000, 9000, 10_000]);
  assert.deepEqual(samples.map(({ values }) => values.apns), [0, 1, 2, 3]);
  assert.deepEqual(samples.map(({ values }) => values.fcm), [0, 0, 0, 9]);
});

test("what was seen stays, and gaps are filled", () => {
  const seen = [{ at: 5000, values: { apns: 50 } }, { at: 5250, values: null }];
  const samples = filled(seen, remembered(9000, { apns: [3, 4, 5, 6, 7, 8, 9] }, 7));
  assert.deepEqual(samples.map(({ at, values }) => [at, values.apns]), [
    [3000, 3], [4000, 4], [5000, 50], [6000, 6], [7000, 7], [8000, 8], [9000, 9],
  ]);
});
