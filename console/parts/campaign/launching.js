// Launching a campaign and sending a test of it, as the page shows it: what somebody else changed meanwhile is
// shown first, and asked about again.

import { h } from '../../lib/dom.js';
import { envelope, ifMatch, path, post } from '../../lib/api.js';
import { fromJson } from '../../lib/audience/model.js';
import { audienceInWords } from '../../lib/audience/words.js';
import { count, number, scheduled, sum } from '../../lib/format.js';
import { DRAFT, SENDING, STATUS } from '../../lib/names.js';
import { trouble } from '../../lib/outages.js';
import { confirmed } from '../dialog.js';
import { sendTest } from '../test_send.js';
import { toast } from '../toast.js';

/** Whether a launch would be for later. */
export const isLater = ({ scheduled_at: at }) => Boolean(at) && new Date(at) > new Date();

/**
 * Does `work(shown, isNews)`, where `shown` is `{ record, etag }`. Where another version is stored by now,
 * `again()` shows that and answers it, and the work is done anew; to whoever asked it is news.
 */
async function asShown(shown, again, work) {
  let [now, isNews] = [shown, false];
  for (;;) {
    try {
      return await work(now, isNews);
    } catch (error) {
      if (error.status !== 412) throw error;
    }
    now = await again();
    isNews = true;
  }
}

/** That a campaign was changed elsewhere, and what it is now. */
const newsOf = (record) => [
  h('p.note.warn', { role: 'alert' }, 'It was changed elsewhere after it was shown here, so nothing was sent. This is what it is now:'),
  h('p.launch-title', null, h('strong', { dir: 'auto' }, record.title), h('span.soft', { dir: 'auto' }, record.body)),
  h('dl.facts', null, h('dt', null, 'To'), h('dd', null, audienceInWords(fromJson(record.conditions)))),
];

/** How many it reaches, and that in words. */
async function reached({ conditions }) {
  const counted = await post('/devices/-/:count', conditions ? { conditions } : {});
  const missed = sum(counted.unreachable);
  return [sum(counted.reachable), h('p', null, h('strong', null, count(counted.total, 'device')), conditions ? ' match its conditions now.' : ' are registered, and it goes to all of them.',
    missed > 0 && ` ${number(missed)} of them cannot be pushed to.`)];
}

/** What is to be known of providers before a launch. */
const troubled = (providers) => trouble(providers()).map((said) => h('p.note.warn', null, said));

/** Launches a draft after asking; what it is then, or null. */
export const launch = (shown, { again, providers }) => asShown(shown, again, async ({ record, etag }, isNews) => {
  if (record.status !== DRAFT) {
    toast(`It is not a draft any more (${STATUS[record.status]?.name ?? record.status}): nothing was launched.`, 'bad');
    return null;
  }
  const [reach, words] = await reached(record);
  const later = isLater(record);
  const sure = later ? 'Schedule' : `Launch to ${count(reach, 'device')}`;
  const text = [isNews && newsOf(record), words, h('p.soft', null, later ? `It is launched ${scheduled(record.scheduled_at)}, to whom matches then.` : 'It begins at once. It can be paused, not called back.'), !later && troubled(providers)];
  if (!(await confirmed(later ? 'Schedule this campaign?' : 'Launch this campaign?', text, { sure, careful: isNews }))) return null;
  return envelope('POST', path`/notifications/${record.uuid}/:launch`, {}, { headers: ifMatch(etag) });
});

/** Launches at once what is scheduled. */
export async function launchNow(record, providers) {
  const [reach, words] = await reached(record);
  const text = [words, h('p.soft', null, `It was to be launched ${scheduled(record.scheduled_at)}. It begins at once instead.`), troubled(providers)];
  if (!(await confirmed('Launch it now?', text, { sure: `Launch to ${count(reach, 'device')}` }))) return null;
  return envelope('PUT', path`/notifications/${record.uuid}/status`, { status: SENDING });
}

/** How many of its devices are suggested for a test. */
const SUGGESTED = 8;

/** Asks for devices and sends them a test; `tested`, or null. */
export const test = (shown, { again, app, providers }) => asShown(shown, again, async ({ record, etag }, isNews) => {
  let sample = null;
  const search = { ...(record.conditions && { conditions: record.conditions }), size: SUGGESTED };
  const devices = () => (sample ??= post('/devices/-/:search', search));
  return (await sendTest({ uuid: record.uuid, etag, app, sample: devices, news: () => isNews && newsOf(record), providers })) ? 'tested' : null;
});
