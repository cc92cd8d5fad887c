// What a person may do with a campaign, and the questions that stand before it.

import { h } from '../../lib/dom.js';
import { envelope, path, post, put, query } from '../../lib/api.js';
import { count, number, sum, time } from '../../lib/format.js';
import { DELETED, DRAFT, ERROR, PAUSED, QUEUED, SENDING, SENT, platformName } from '../../lib/names.js';
import { meaning } from '../../lib/reasons.js';
import { go, to } from '../../lib/router.js';
import { confirmed } from '../dialog.js';
import { askRate } from './rate.js';
import { sendTest } from '../test_send.js';

/** The buttons for a campaign's state, the likeliest first. `act(work)` does something and shows what came of it. */
export function buttons(record, account, act, app) {
  const { status } = account;
  const button = (label, work, tone = '') => h(`button${tone}`, { key: label, type: 'button', onclick: () => act(work) }, label);
  const set = (next) => () => put(path`/notifications/${record.uuid}/status`, { status: next });
  const is = (...those) => those.includes(status);
  return [
    is(DRAFT) && button(isLater(record) ? 'Schedule' : 'Launch', () => launch(record), '.primary'),
    is(DRAFT) && h('a.button', { key: 'edit', href: to(`/campaigns/${record.uuid}/edit`) }, 'Edit'),
    is(SENDING) && button('Pause', set(PAUSED), '.primary'),
    is(PAUSED) && button('Resume', set(SENDING), '.primary'),
    is(ERROR) && button('Resume', set(SENDING), '.primary'),
    is(QUEUED) && button('Unschedule', set(DRAFT)),
    is(QUEUED) && button('Launch now', () => launchNow(record)),
    is(SENDING, PAUSED, ERROR, QUEUED) && button('Change rate', () => askRate(record)),
    !is(DELETED) && button('Send a test', () => test(record, app)),
    button('Duplicate', () => duplicate(record)),
    is(SENDING, PAUSED, ERROR) && button('Stop', () => stop(record, account), '.danger'),
    is(DRAFT, QUEUED) && button('Delete', () => discard(record, status), '.danger'),
  ];
}

const isLater = ({ scheduled_at: at }) => Boolean(at) && new Date(at) > new Date();

/** How many it reaches, and that in words. */
async function reached(record) {
  const counted = await post('/devices/-/:count', record.conditions ? { conditions: record.conditions } : {});
  const missed = sum(counted.unreachable);
  return [sum(counted.reachable), h('p', null, h('strong', null, count(counted.total, 'device')), record.conditions ? ' match its conditions now.' : ' are registered, and it goes to all of them.',
    missed > 0 && ` ${number(missed)} of them cannot be pushed to.`)];
}

async function launch(record) {
  const [reach, words] = await reached(record);
  const later = isLater(record);
  const sure = later ? 'Schedule' : `Launch to ${count(reach, 'device')}`;
  const text = [words, h('p.soft', null, later ? `It is launched ${time(record.scheduled_at)}, to whom matches then.` : 'It begins at once. It can be paused, not called back.')];
  if (!(await confirmed(later ? 'Schedule this campaign?' : 'Launch this campaign?', text, { sure }))) return null;
  return post(path`/notifications/${record.uuid}/:launch`);
}

async function launchNow(record) {
  const [reach, words] = await reached(record);
  const text = [words, h('p.soft', null, `It was to be launched ${time(record.scheduled_at)}. It begins at once instead.`)];
  if (!(await confirmed('Launch it now?', text, { sure: `Launch to ${count(reach, 'device')}` }))) return null;
  return put(path`/notifications/${record.uuid}/status`, { status: SENDING });
}

async function stop(record, { left, done }) {
  const rest = left === null ? 'Whoever has not got it yet does not get it.' : `${count(left, 'device')} will not get it.`;
  const text = [h('p', null, done ? `${count(done, 'device')} have their outcome. ${rest}` : rest), h('p.soft', null, 'A stopped campaign cannot go on. To go on later, pause it.')];
  if (!(await confirmed('Stop this campaign for good?', text, { sure: 'Stop', danger: true }))) return null;
  return put(path`/notifications/${record.uuid}/status`, { status: DELETED });
}

async function discard(record, status) {
  const text = h('p', null, 'It was not sent to anybody. Nobody will be able to edit or launch it.');
  if (!(await confirmed(status === DRAFT ? 'Delete this draft?' : 'Delete this scheduled campaign?', text, { sure: 'Delete', danger: true }))) return null;
  return put(path`/notifications/${record.uuid}/status`, { status: DELETED });
}

/** How many of its devices are suggested for a test. */
const SUGGESTED = 8;

async function test(record, app) {
  let sample = null;
  const search = { ...(record.conditions && { conditions: record.conditions }), size: SUGGESTED };
  const devices = () => (sample ??= post('/devices/-/:search', search));
  return (await sendTest({ uuid: record.uuid, app, sample: devices })) ? 'tested' : null;
}

const COPIED = ['title', 'body', 'image_url', 'icon_url', 'deep_link', 'conditions', 'time_to_live', 'priority', 'collapse_id', 'sound', 'badge', 'data', 'dry_run', 'rate_limit'];

/** Writes a new draft that says the same to the same people, and opens it. */
async function duplicate(record) {
  const told = COPIED.filter((key) => record[key] !== null && record[key] !== undefined);
  const copy = await post('/notifications', Object.fromEntries(told.map((key) => [key, record[key]])));
  go(`/campaigns/${copy.uuid}/edit`);
  return null;
}

/** What does not pass by itself. */
const HOPELESS = ['pruned', 'no_token', 'no_provider', 'no_credentials', 'Unregistered', 'UNREGISTERED', 'ExpiredToken'];

/** Sends again to those that failed, after naming how many they are. */
export async function sendAgain(record, { reason, platform }) {
  const asked = query({ reason, platform, size: 1 });
  const { total } = await envelope('GET', path`/notifications/${record.uuid}/failures` + asked);
  const hopeless = reason ? HOPELESS.includes(reason) && total : !platform && sum(Object.fromEntries(HOPELESS.map((word) => [word, record.reasons[word] ?? 0])));
  const kind = [platform && `on ${platformName(platform)}`, reason && `with the reason “${meaning(reason) ?? reason}”`].filter(Boolean).join(', ');
  const text = [
    h('p', null, 'The message goes once more to ', h('strong', null, count(total, 'device')), ` that failed${kind && ` ${kind}`}.`),
    h('p.soft', null, 'Those that got it do not get it again. Each device counts once.'),
    hopeless > 0 && h('p.note.warn', null, `${hopeless >= total ? 'None of these' : `At most ${number(total - hopeless)} of these`} can be expected to get it now: without a token that works, or without credentials, a device fails again.`),
  ];
  if (!(await confirmed('Send again?', text, { sure: `Send to ${count(total, 'device')}` }))) return null;
  return post(path`/notifications/${record.uuid}/:resend`, { ...(reason && { reason }), ...(platform && { platform }) });
}

/** Whether failures of this campaign can be sent again. */
export const canSendAgain = (record) => record?.status === SENT;
