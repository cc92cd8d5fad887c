// What happened to a campaign, oldest first, and who did it.

import { drawn, h } from '../../lib/dom.js';
import { get, path } from '../../lib/api.js';
import { count, number, scheduled, time } from '../../lib/format.js';
import { callerName, platformName } from '../../lib/names.js';
import { meaning } from '../../lib/reasons.js';
import { loading, trouble } from '../pieces.js';

const EVENTS = {
  created: 'Written',
  edited: 'Edited',
  scheduled: 'Scheduled',
  launched: 'Launched',
  paused: 'Paused',
  resumed: 'Resumed',
  unscheduled: 'Unscheduled',
  resent: 'Sent again to those that failed',
  rate_changed: 'Rate changed',
  finished: 'Sent',
  failed: 'Stopped by an error',
  deleted: 'Deleted',
  stopped: 'Stopped for good',
  tested: 'Test sent',
  test_failed: 'Test failed',
};
const TONES = { finished: 'good', failed: 'bad', stopped: 'bad', test_failed: 'bad', paused: 'warn', launched: 'live', resumed: 'live', resent: 'live' };

/** The card; `read()` reads anew. */
export function timeline(uuid) {
  const state = { events: null, error: null };
  const view = drawn(() => h('section.card', { 'aria-labelledby': 'timeline' },
    h('header', null, h('h2', { id: 'timeline' }, 'What happened')),
    state.error && trouble(state.error, read),
    state.events ? list(state.events) : !state.error && loading()));
  const read = async () => {
    try {
      Object.assign(state, { events: await get(path`/notifications/${uuid}/timeline`), error: null });
    } catch (error) {
      state.error = error;
    }
    view.draw();
  };
  return { view, read };
}

const list = (events) => (events.length
  ? h('ol.timeline', null, events.map((event) => h('li', { class: TONES[kindOf(event, events)] },
    h('div', null, h('strong', null, EVENTS[kindOf(event, events)] ?? event.event), more(event)),
    h('small.soft.number', null, time(event.at), event.by && event.by !== 'open' && ` by ${callerName(event.by)}`))))
  : h('p.soft', null, 'Nothing is known of it yet.'));

/** What the log has under one name is told apart: a campaign that was unscheduled is a draft again, to the log
 * edited; one that was stopped is deleted as a draft is; a test that no device took has failed. */
function kindOf({ event, details }, events) {
  if (event === 'edited' && details?.status === 'DRAFT') return 'unscheduled';
  if (event === 'tested' && details?.accepted === 0) return 'test_failed';
  if (event === 'deleted' && events.some((other) => other.event === 'launched')) return 'stopped';
  return event;
}

/** What is worth saying of an event's details. */
function more({ event, details }) {
  const text = wordsOf(event, details ?? {});
  return text && h('span.soft', null, ` ${text}`);
}

function wordsOf(event, details) {
  switch (event) {
    case 'scheduled':
      return details.scheduled_at ? `for ${scheduled(details.scheduled_at)}` : null;
    case 'rate_changed':
      if (!('rate_limit' in details)) return null;
      return details.rate_limit ? `to ${number(details.rate_limit)} a second` : 'to no limit of its own';
    case 'resent':
      return [details.reason && `with the reason “${meaning(details.reason) ?? details.reason}”`, details.platform && `on ${platformName(details.platform.toLowerCase())}`].filter(Boolean).join(', ') || null;
    case 'tested': {
      const [devices, accepted] = [details.external_ids?.length ?? details.devices, details.accepted];
      if (typeof devices !== 'number') return null;
      const failed = typeof accepted === 'number' && accepted > 0 && accepted < devices && `, ${number(devices - accepted)} of them failed`;
      return `${accepted === 0 ? 'for' : 'to'} ${count(devices, 'device')}${failed || ''}`;
    }
    case 'failed':
      return details.error ?? details.reason ?? null;
    default:
      return null;
  }
}
