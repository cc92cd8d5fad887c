// What a campaign says, to whom, and how it is sent.

import { h } from '../../lib/dom.js';
import { audience, isEveryone } from '../../lib/audience.js';
import { count, duration, number, scheduled, time } from '../../lib/format.js';
import { clamped } from '../pieces.js';

/** The message as it reads on a device, and what comes with it. */
export function messageCard(record, app) {
  return h('section.card', { 'aria-labelledby': 'message' },
    h('header', null, h('h2', { id: 'message' }, 'Message')),
    h('div.push', null,
      record.icon_url ? h('img', { src: record.icon_url, alt: '', width: 36, height: 36, referrerPolicy: 'no-referrer', onerror: ({ target }) => (target.hidden = true) }) : h('span.push-icon', { 'aria-hidden': 'true' }, (app ?? '?').slice(0, 1).toUpperCase()),
      h('div.grow', null, h('strong', { dir: 'auto' }, record.title || 'Untitled'), h('p', { dir: 'auto' }, record.body || h('span.soft', null, 'Without a text')))),
    facts([
      ['Opens', record.deep_link && h('code', null, record.deep_link)],
      ['Picture', record.image_url && h('a', { href: record.image_url, target: '_blank', rel: 'noopener noreferrer' }, record.image_url)],
      ['Data', Object.keys(record.data ?? {}).length > 0 && h('ul.pairs', null, Object.entries(record.data).map(([key, value]) => h('li', null, clamped(value, [h('code', null, key), ` ${value}`]))))],
      ['Sound', record.sound],
      ['Badge', record.badge !== null && number(record.badge)],
      ['Priority', String(record.priority).toLowerCase() === 'normal' ? 'Normal: when it suits the device' : null],
      ['Lives for', record.time_to_live !== null && record.time_to_live !== undefined && duration(record.time_to_live)],
      ['Replaces', record.collapse_id && h('code', null, record.collapse_id)],
      ['Dry run', record.dry_run && 'Everything but the providers'],
      ['Scheduled', record.scheduled_at && scheduled(record.scheduled_at)],
      ['Written', time(record.created_at)],
    ]));
}

/** Whom it is for. `reach` is how many that is now, where it was asked. */
export function audienceCard(record, reach) {
  return h('section.card', { 'aria-labelledby': 'audience' },
    h('header', null, h('h2', { id: 'audience' }, 'Audience'), reach && h('span.soft.number', null, `${count(reach.total, 'device')} now`)),
    audience(record.conditions),
    isEveryone(record.conditions) && h('p.soft.small', null, 'It has no conditions: every device of the app.'));
}

const facts = (rows) => {
  const told = rows.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== '');
  return h('dl.facts', null, told.map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
};
