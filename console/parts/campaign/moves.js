// What a person may do with a campaign, and the questions that stand before it.

import { h } from '../../lib/dom.js';
import { envelope, path, post, query } from '../../lib/api.js';
import { count, number, sum } from '../../lib/format.js';
import { DELETED, DRAFT, ERROR, PAUSED, QUEUED, SENDING, SENT, platformName } from '../../lib/names.js';
import { meaning } from '../../lib/reasons.js';
import { go, to } from '../../lib/router.js';
import { confirmed } from '../dialog.js';
import { isLater, launch, launchNow, test } from './launching.js';
import { askRate } from './rate.js';
import '../action_menu.js';

/** The buttons for a campaign's state, the likeliest first; in a narrow window the others are in a menu. `shown` is
 * the campaign as it is shown, `{ record, etag }`, and `again()` shows it as it is by now and answers the same.
 * `act(work)` does something and shows the answer; `feed` tells of providers. */
export function buttons(shown, account, act, { again, app, feed }) {
  const { record } = shown;
  const { status } = account;
  const providers = () => feed.status?.providers;
  const move = (label, work, tone = null) => ({ label, work, tone });
  const set = (next) => () => moved(record, next);
  const is = (...those) => those.includes(status);
  const [first, ...further] = [
    is(DRAFT) && move(isLater(record) ? 'Schedule' : 'Launch', () => launch(shown, { again, providers }), 'primary'),
    is(DRAFT) && { label: 'Edit', path: `/campaigns/${record.uuid}/edit` },
    is(SENDING) && move('Pause', set(PAUSED), 'primary'),
    is(PAUSED) && move('Resume', set(SENDING), 'primary'),
    is(ERROR) && move('Resume', set(SENDING), 'primary'),
    is(QUEUED) && move('Unschedule', set(DRAFT)),
    is(QUEUED) && move('Launch now', () => launchNow(record, providers)),
    is(SENDING, PAUSED, ERROR, QUEUED) && move('Change rate', () => askRate(record)),
    !is(DELETED) && move('Send a test', () => test(shown, { again, app, providers })),
    move('Duplicate', () => duplicate(record)),
    is(SENDING, PAUSED, ERROR) && move('Stop', () => stop(record, account), 'danger'),
    is(DRAFT, QUEUED) && move('Delete', () => discard(record, status), 'danger'),
  ].filter(Boolean);
  return [button(first, act), further.map((one) => h('span.wide-only', { key: one.label }, button(one, act))),
    further.length > 0 && h('span.narrow-only', { key: 'further' }, h('action-menu', { label: 'What else can be done', items: further.map((one) => item(one, act)) }))];
}

const button = ({ label, work, tone, path: leads }, act) => (leads
  ? h('a.button', { key: label, href: to(leads) }, label)
  : h('button', { key: label, type: 'button', class: tone, onclick: () => act(work) }, label));

/** The same in the menu that a narrow window has in their place. */
const item = ({ label, work, tone, path: leads }, act) => ({ text: label, danger: tone === 'danger', act: () => (leads ? go(leads) : act(work)) });

const moved = (record, status) => envelope('PUT', path`/notifications/${record.uuid}/status`, { status });

async function stop(record, { left, done }) {
  const rest = left === null ? 'Whoever has not got it yet does not get it.' : `${count(left, 'device')} will not get it.`;
  const text = [h('p', null, done ? `${count(done, 'device')} have their outcome. ${rest}` : rest), h('p.soft', null, 'A stopped campaign cannot go on. To go on later, pause it.')];
  if (!(await confirmed('Stop this campaign for good?', text, { sure: 'Stop', danger: true }))) return null;
  return moved(record, DELETED);
}

async function discard(record, status) {
  const text = h('p', null, 'It was not sent to anybody. Nobody will be able to edit or launch it.');
  if (!(await confirmed(status === DRAFT ? 'Delete this draft?' : 'Delete this scheduled campaign?', text, { sure: 'Delete', danger: true }))) return null;
  return moved(record, DELETED);
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
  return envelope('POST', path`/notifications/${record.uuid}/:resend`, { ...(reason && { reason }), ...(platform && { platform }) });
}

/** Whether failures of this campaign can be sent again. */
export const canSendAgain = (record) => record?.status === SENT;
