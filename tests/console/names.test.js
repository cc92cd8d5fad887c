// Names of keys, and how the console calls them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { callerName, callerOf } from "../../console/lib/names.js";

test("whoever the console names is found by that name", () => {
  for (const name of ["open", "internal.keys[0]", "internal.keys[11]", "marketing"]) {
    assert.equal(callerOf(callerName(name)), name);
    assert.equal(callerOf(name), name);
  }
  assert.equal(callerOf(" operator 2 "), "internal.keys[1]");
});

test("a key that there is comes first, and capital letters are made up for", () => {
  assert.equal(callerOf("Operator", ["internal.keys[0]", "Operator"]), "Operator");
  assert.equal(callerOf("MARKETING", ["sender", "Marketing"]), "Marketing");
  assert.equal(callerOf("Gone", ["sender"]), "Gone");
  assert.equal(callerOf(""), "");
});
