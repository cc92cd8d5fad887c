// A campaign's form and the API's body of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toJson } from '../../console/lib/audience/model.js';
import { blank, contentOf, formOf, lacksScheme, momentOf, packed, problemsOf, unpacked } from '../../console/pages/compose/content.js';

const STORED = {
  title: 'Doors open', body: 'See you', deep_link: 'shop://tonight', image_url: null, icon_url: 'https://a.example/i.png',
  conditions: { conditions: null, key: 'age', operator: 'int_gte', value: 18, join_type: null },
  scheduled_at: '2026-10-25T01:30:00Z', time_to_live: 7200, priority: 'normal', collapse_id: null, sound: 'bell', badge: 0,
  data: { order: '1', a: 'b' }, dry_run: true, rate_limit: 500,
};

test('a stored draft comes back as it was', () => {
  const content = contentOf(formOf(STORED, 'Europe/Berlin'));
  const wanted = { ...STORED, conditions: { key: 'age', operator: 'int_gte', value: 18 }, scheduled_at: '2026-10-25T01:30:00.000Z' };
  assert.deepEqual(content, wanted);
  assert.deepEqual(contentOf(unpacked(JSON.parse(JSON.stringify(packed(formOf(STORED, 'UTC')))), 'UTC')), wanted);
});

test('an empty form clears everything that it leaves out', () => {
  const content = contentOf(blank('UTC'));
  for (const name of ['image_url', 'deep_link', 'badge', 'rate_limit', 'time_to_live', 'conditions', 'scheduled_at', 'sound']) {
    assert.equal(content[name], null, name);
  }
  assert.deepEqual(content.data, {});
});

test('the hour that comes twice keeps which of the two it was', () => {
  for (const moment of ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z']) {
    const { schedule } = formOf({ ...STORED, scheduled_at: moment }, 'Europe/Berlin');
    assert.equal(schedule.wall, '2026-10-25T02:30');
    assert.equal(new Date(momentOf(schedule)).toISOString(), moment);
  }
});

test('time to live in the largest unit that fits', () => {
  for (const [seconds, amount, unit] of [[172_800, '2', 'days'], [5400, '90', 'minutes'], [61, '61', 'seconds'], [0, '0', 'seconds']]) {
    const form = formOf({ ...STORED, time_to_live: seconds }, 'UTC');
    assert.deepEqual([form.time_to_live, form.unit], [amount, unit]);
    assert.equal(contentOf(form).time_to_live, seconds);
  }
});

test('a link without a scheme is told from one with it', () => {
  for (const link of ['shop.com/tonight', 'shop.com', 'shop.com:8080/x', 'tonight', 'a b', 'localhost:3000/x', '?q=1']) assert.ok(lacksScheme(link), link);
  for (const link of ['', ' ', 'https://shop.com', 'shop://orders/1', 'shop:orders', 'com.shop.app://x', 'mailto:a@b.example', '/orders/1']) assert.ok(!lacksScheme(link), link);
});

test('what is missing has the name of its field', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const form = { ...blank('UTC'), title: 'a', body: 'b' };
  const wrong = (parts) => Object.keys(problemsOf({ ...form, ...parts }, now));
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(Object.keys(problemsOf(blank('UTC'), now)), ['title', 'body']);
  assert.deepEqual(wrong({ badge: '-1' }), ['badge']);
  assert.deepEqual(wrong({ time_to_live: 'long' }), ['time_to_live']);
  assert.deepEqual(wrong({ data: [{ key: 'a', value: '1' }, { key: 'a', value: '2' }] }), ['data']);
  const at = (wall, zone = 'UTC') => wrong({ schedule: { later: true, wall, zone, second: false } });
  assert.deepEqual(at('2026-01-01T00:01'), []);
  assert.deepEqual(at('2025-12-31T23:59'), ['scheduled_at']);
  assert.deepEqual(at(''), ['scheduled_at']);
  assert.deepEqual(at('2026-02-01T00:00', 'Mars/Base'), ['scheduled_at']);
  assert.deepEqual(at('2026-03-29T02:30', 'Europe/Berlin'), ['scheduled_at']);
  const incomplete = formOf({ ...STORED, scheduled_at: null, conditions: { key: 'age', operator: 'int_gte', value: '' } }, 'UTC');
  assert.deepEqual(Object.keys(problemsOf(incomplete, now)), ['conditions']);
  assert.deepEqual(toJson(incomplete.audience), { key: 'age', operator: 'int_gte', value: '' });
});
