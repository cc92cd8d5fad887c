import assert from "node:assert/strict";
import { test } from "node:test";

import { merged } from "../../console/lib/feed.js";

test("a patch sets, removes and leaves alone", () => {
  const before = { a: 1, b: { c: 2, d: 3 }, e: [1] };
  assert.deepEqual(merged(before, { a: null, b: { c: 4 }, f: { g: null, h: 5 } }), { b: { c: 4, d: 3 }, e: [1], f: { h: 5 } });
  assert.deepEqual(before, { a: 1, b: { c: 2, d: 3 }, e: [1] });
});

test("a member may be called as anything", () => {
  const first = merged({ reasons: { other: 1 } }, JSON.parse('{"reasons": {"__proto__": 7, "constructor": 2}}'));
  assert.deepEqual(Object.entries(first.reasons), [["other", 1], ["__proto__", 7], ["constructor", 2]]);
  const second = merged(first, JSON.parse('{"reasons": {"__proto__": {"a": 1}}}'));
  assert.deepEqual(Object.entries(second.reasons).at(1), ["__proto__", { a: 1 }]);
  assert.equal(Object.getPrototypeOf(second.reasons), Object.prototype);
  assert.deepEqual(Object.keys(merged(second, JSON.parse('{"reasons": {"__proto__": null}}')).reasons), ["other", "constructor"]);
});
