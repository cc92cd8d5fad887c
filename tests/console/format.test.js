// Times as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { scheduled } from "../../console/lib/format.js";

test("what is scheduled has its zone", () => {
  const at = "2026-11-23T11:00:00Z";
  assert.equal(scheduled(at, "America/New_York"), "23 Nov 2026, 06:00 EST");
  assert.equal(scheduled(at, "Europe/Berlin"), "23 Nov 2026, 12:00 CET");
  assert.equal(scheduled("2026-07-23T11:00:00Z", "Europe/Berlin"), "23 Jul 2026, 13:00 CEST");
  assert.equal(scheduled(at, "Asia/Kathmandu"), "23 Nov 2026, 16:45 GMT+5:45");
  assert.equal(scheduled(at, "UTC"), "23 Nov 2026, 11:00 UTC");
  assert.equal(scheduled(null), "–");
});
