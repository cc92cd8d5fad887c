// The audit log under its days.

import assert from "node:assert/strict";
import { test } from "node:test";

import { byDay, runs } from "../../console/pages/audit/runs.js";

const row = (id, action, name, at = "2026-03-04T12:00:00") => ({ id, action, actor: { name }, app: "shop", at });

test("sign-ins that follow one another are one", () => {
  const rows = [row(5, "session.begun", "ana"), row(4, "session.begun", "ana"), row(3, "session.begun", "bo"), row(2, "key.created", "bo"), row(1, "key.created", "bo")];
  assert.deepEqual(runs(rows).map((run) => run.map(({ id }) => id)), [[5, 4], [3], [2], [1]]);
});

test("days have their own headings", () => {
  const rows = [row(3, "a", "ana"), row(2, "a", "ana"), row(1, "a", "ana", "2026-03-03T12:00:00")];
  assert.deepEqual(byDay(rows).map(([day, all]) => [day, all.length]), [["Wednesday 4 March 2026", 2], ["Tuesday 3 March 2026", 1]]);
});
