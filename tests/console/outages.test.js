// Providers that are away, in sentences.

import assert from "node:assert/strict";
import { test } from "node:test";

import { outages, trouble, waiting, waitingSaid } from "../../console/lib/outages.js";
import { pace, progress } from "../../console/lib/progress.js";
import { PAUSED, SENDING } from "../../console/lib/names.js";

const apns = { state: "closed", refused: false, waiting: 0, in_flight: 0 };
const away = { state: "open", refused: false, reason: "does not answer as it should: connect_refused", waiting: 300, in_flight: 0 };
const refusing = { state: "closed", refused: true, reason: "refuses the credentials: UNAUTHENTICATED", waiting: 0, in_flight: 0 };
const live = { status: SENDING, expected: 4000, sent: { ios: 1649 }, failed: {}, per_second: 0 };
const account = progress(null, live);

test("a provider is away between its probes too", () => {
  assert.deepEqual(outages({ apns, fcm: { ...away, state: "half_open" } }).map(({ name, why }) => [name, why]), [["FCM", "connection refused"]]);
  assert.deepEqual(outages({ apns, fcm: { ...away, reason: undefined } })[0].why, null);
  assert.deepEqual(outages({ apns }), []);
});

test("who waits for a provider is told, and that nothing needs doing", () => {
  assert.equal(waitingSaid(account, { apns, fcm: away }, true),
    "2,351 wait for FCM, which is out of order (connection refused); they are sent when it is back. Nothing needs doing.");
  const both = waitingSaid(account, { apns: { ...away, reason: "does not answer as it should: timeout" }, fcm: away }, true);
  assert.match(both, /^2,351 wait for APNs \(no answer in time\) and FCM \(connection refused\), which are out of order;/);
});

test("a number is told only where it is known", () => {
  assert.equal(waiting(account, { apns: { ...apns, in_flight: 3 }, fcm: away }, true), null);
  assert.equal(waiting(account, { apns, fcm: away }, false), null);
  assert.match(waitingSaid(account, { apns, fcm: away }, false), /^FCM is out of order \(connection refused\)\. Devices that are reached through it wait/);
  assert.equal(waitingSaid({ ...account, status: PAUSED }, { apns, fcm: away }, true), null);
  assert.equal(waitingSaid(account, { apns }, true), null);
});

test("refused credentials are another thing", () => {
  assert.equal(waitingSaid(account, { apns, fcm: refusing }, true), null);
  assert.match(trouble({ fcm: refusing })[0], /^FCM refuses the app’s credentials \(UNAUTHENTICATED\)\. Its devices fail/);
  assert.match(trouble({ fcm: away })[0], /Its devices wait, and get the message when it is back\.$/);
  assert.equal(trouble({ fcm: away }, { isTest: true })[0], "FCM is out of order (connection refused): a test to its devices is likely to fail now.");
});

test("a line of a list says what is waited for while nothing goes", () => {
  const rows = outages({ fcm: away });
  assert.equal(pace(account, rows), "41 % · waits for FCM");
  assert.equal(pace(progress(null, { ...live, per_second: 5 }), rows), "41 % · 5 pushes a second");
});
