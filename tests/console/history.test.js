import assert from "node:assert/strict";
import { test } from "node:test";

import { History, filled, remembered } from "../../console/lib/history.js";

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

/** A feed that tells when it is asked to. */
function feedOf() {
  const listeners = new Set();
  const feed = { status: null, before: null, state: "connecting", focused: null };
  feed.watch = (listener) => {
    listeners.add(listener);
    listener(feed);
    return () => listeners.delete(listener);
  };
  feed.tell = (changes) => {
    Object.assign(feed, changes);
    for (const listener of listeners) listener(feed);
  };
  return { feed, listeners };
}

test("what the server remembers is there as soon as it is told, and once", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"], now: 200_000 });
  const { feed, listeners } = feedOf();
  const history = new History(feed);
  let told = 0;
  history.watch(() => (told += 1));
  assert.equal(history.rates.length, 0);
  const status = { rates: { apns: { per_second: 7 } }, campaigns: { one: { per_second: 7 } } };
  const before = { at: 199_000, rates: { apns: [4, 5, 6] }, campaigns: { one: [6] } };
  feed.tell({ status, before, state: "live" });
  assert.deepEqual(history.rates.slice(-3).map(({ values }) => values.apns), [5, 6, 7]);
  assert.deepEqual(history.of("one").map(({ values }) => values.campaign), [6, 7]);
  assert.equal(told, 1, "whoever shows it is not told");
  const samples = history.rates.length;
  feed.tell({ status });
  assert.equal(history.rates.length, samples, "every delta is a sample");
  history.close();
  assert.equal(listeners.size, 0);
});
