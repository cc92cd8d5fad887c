// Dates and times in a zone, and the hours around a change of the clocks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isZone, momentAfterGap, momentsOf, offsetName, said, wallAt, zones } from '../../console/lib/zones.js';

const iso = (moments) => moments.map((moment) => new Date(moment).toISOString().slice(0, 16));

test('an ordinary hour is one moment', () => {
  assert.deepEqual(iso(momentsOf('2026-07-01T18:00', 'Europe/Berlin')), ['2026-07-01T16:00']);
  assert.deepEqual(iso(momentsOf('2026-01-01T18:00', 'Europe/Berlin')), ['2026-01-01T17:00']);
  assert.deepEqual(iso(momentsOf('2026-01-01T05:45', 'Asia/Kathmandu')), ['2026-01-01T00:00']);
  assert.deepEqual(iso(momentsOf('2026-01-01T00:00', 'Pacific/Kiritimati')), ['2025-12-31T10:00']);
  assert.deepEqual(iso(momentsOf('2026-01-01T00:00', 'UTC')), ['2026-01-01T00:00']);
});

test('the hour that is left out is none, and the one after it is offered', () => {
  assert.deepEqual(momentsOf('2026-03-29T02:30', 'Europe/Berlin'), []);
  assert.equal(wallAt(momentAfterGap('2026-03-29T02:30', 'Europe/Berlin'), 'Europe/Berlin'), '2026-03-29T03:30');
  assert.deepEqual(momentsOf('2026-03-08T02:00', 'America/New_York'), []);
  assert.deepEqual(iso(momentsOf('2026-03-29T03:00', 'Europe/Berlin')), ['2026-03-29T01:00']);
});

test('the hour that comes twice is two, the earlier first', () => {
  assert.deepEqual(iso(momentsOf('2026-10-25T02:30', 'Europe/Berlin')), ['2026-10-25T00:30', '2026-10-25T01:30']);
  assert.deepEqual(iso(momentsOf('2026-11-01T01:00', 'America/New_York')), ['2026-11-01T05:00', '2026-11-01T06:00']);
  // Lord Howe changes by half an hour.
  assert.equal(momentsOf('2026-04-05T01:45', 'Australia/Lord_Howe').length, 2);
  assert.equal(momentsOf('2026-04-05T02:15', 'Australia/Lord_Howe').length, 1);
});

test('a clock shows the moment it was asked for, in every zone', () => {
  const wall = '2026-06-15T12:34';
  for (const zone of zones()) {
    const moments = momentsOf(wall, zone);
    assert.equal(moments.length, 1, zone);
    assert.equal(wallAt(moments[0], zone), wall, zone);
  }
});

test('a year that is begun is that year', () => {
  for (const wall of ['0002-03-01T10:00', '0020-03-01T10:00', '0202-03-01T10:00']) {
    const moments = momentsOf(wall, 'Europe/Berlin');
    assert.equal(moments.length, 1, wall);
    assert.equal(wallAt(moments[0], 'Europe/Berlin'), wall);
  }
});

test('what is no date or no zone', () => {
  for (const wrong of ['', '2026-02-30T10:00', '2026-01-01', '2026-01-01T25:00', null]) assert.equal(momentsOf(wrong, 'UTC'), null);
  assert.equal(isZone('Europe/Berlin'), true);
  for (const wrong of ['', 'Mars/Base', null]) assert.equal(isZone(wrong), false);
});

test('zones and moments in words', () => {
  const moment = Date.parse('2026-07-01T16:00:00Z');
  assert.equal(offsetName(moment, 'Europe/Berlin'), 'UTC+02:00');
  assert.equal(offsetName(moment, 'America/St_Johns'), 'UTC−02:30');
  assert.equal(said(moment, 'Europe/Berlin'), 'Wednesday, 1 July 2026, 18:00');
});
