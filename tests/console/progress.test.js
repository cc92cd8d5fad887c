// How far a campaign is, of what the API and the feed say.

import assert from "node:assert/strict";
import { test } from "node:test";

import { failedMuch, pace, progress, shares, told } from "../../console/lib/progress.js";
import { DELETED, PAUSED, SENDING, SENT } from "../../console/lib/names.js";

const record = (status, besides) => ({ status, sent: { android: 10, ios: 5 }, failed: { ios: 1 }, reasons: { pruned: 1 }, ...besides });
const live = { status: SENDING, expected: 100, sent: { android: 40 }, failed: { android: 10 }, reasons: { pruned: 10 }, per_second: 25, eta_seconds: 2 };

test("the feed is newer than the record", () => {
  const account = progress(record(SENDING), live);
  assert.deepEqual([account.done, account.expected, account.left, account.rate, account.eta], [50, 100, 50, 25, 2]);
  assert.equal(told(account), "40 sent, 10 failed, 50 left");
  assert.equal(pace(account), "50 % · 25 pushes a second, 2 s left");
});

test("what is over is the record's", () => {
  const account = progress(record(SENT), { ...live, status: SENT });
  assert.deepEqual([account.done, account.expected, account.left, account.rate], [16, 16, 0, 0]);
  assert.equal(told(account), "15 sent, 1 failed");
  assert.deepEqual(shares(account), [["good", 15 / 16], ["bad", 1 / 16]]);
});

test("nobody says how many where nobody knows", () => {
  const sending = progress(record(SENDING, { sent: {}, failed: {} }), { ...live, expected: undefined, sent: {}, failed: {} });
  assert.deepEqual([sending.expected, sending.left], [null, null]);
  assert.equal(pace(sending), "Finding its devices");
  assert.deepEqual(shares(progress(record(DELETED), undefined)), []);
});

test("what stands still has no time left", () => {
  const paused = progress(record(PAUSED), { ...live, status: PAUSED, per_second: 0 });
  assert.equal(paused.eta, null);
  assert.equal(pace(paused), "Paused at 50 %");
});

test("many failures are worth a word", () => {
  const sent = (failed) => progress(record(SENT, { sent: { ios: 100 - failed }, failed: { ios: failed } }));
  assert.deepEqual([0, 9, 10, 59].map((failed) => failedMuch(sent(failed))), [false, false, true, true]);
  assert.equal(failedMuch(progress(record(SENT, { sent: {}, failed: {} }))), false);
});
