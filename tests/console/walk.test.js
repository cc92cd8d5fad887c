// Walking devices by answers that may be short.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stretch } from "../../console/pages/devices/walk.js";

/** An API of devices 1 to `total` that answers `most` at once; what it was asked is in `asked`. */
function api(total, most, asked = []) {
  return async ({ size, after = 0 }) => {
    asked.push({ size, after });
    const left = Array.from({ length: total }, (_, index) => ({ id: index + 1 })).slice(after);
    return { result: left.slice(0, Math.min(size, most)), total };
  };
}

const ids = (rows) => rows.map(({ id }) => id);

test("a short answer is not the last", async () => {
  assert.deepEqual(ids(await stretch(api(9, 2), { size: 5, after: null })), [1, 2, 3, 4, 5]);
  assert.deepEqual(ids(await stretch(api(9, 2), { size: 5, after: 5 })), [6, 7, 8, 9]);
  assert.deepEqual(ids(await stretch(api(4, 1), { size: 5, after: null })), [1, 2, 3, 4]);
});

test("nothing is asked twice, nor when all is there", async () => {
  const asked = [];
  await stretch(api(9, 9, asked), { size: 5, after: null });
  await stretch(api(3, 9, asked), { size: 5, after: null });
  await stretch(api(0, 9, asked), { size: 5, after: null });
  assert.deepEqual(asked, [{ size: 5, after: 0 }, { size: 5, after: 0 }, { size: 5, after: 0 }]);
  asked.length = 0;
  assert.deepEqual(await stretch(api(5, 9, asked), { size: 5, after: 5 }), []);
  assert.equal(asked.length, 1);
});
