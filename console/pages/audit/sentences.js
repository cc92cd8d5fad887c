// Entries of the audit log as sentences.

import { h } from '../../lib/dom.js';
import { count, number, scheduled } from '../../lib/format.js';
import { callerName, providerName } from '../../lib/names.js';
import { appPath, to } from '../../lib/router.js';

const campaign = (entry, titles) =>
  h('a', { href: to(`/campaigns/${encodeURIComponent(entry.target)}`) }, titles.get(entry.target) || `campaign ${entry.target?.slice(0, 8)}`);
/** Stopping what was launched and deleting what was not are one action. */
function withdrawn(entry, titles) {
  const { was, settled } = entry.details ?? {};
  if (!was) return ['stopped or deleted ', campaign(entry, titles)];
  if (was === 'DRAFT') return ['deleted the draft ', campaign(entry, titles)];
  if (was === 'QUEUED') return ['deleted ', campaign(entry, titles), ' before it was launched'];
  return ['stopped ', campaign(entry, titles), settled > 0 && ` after about ${count(settled, 'device')}`];
}

const device = (entry) => h('a', { href: to(`/devices/${encodeURIComponent(entry.target)}`) }, entry.target);
const app = (entry) => h('a', { href: to(appPath(entry.app ?? entry.target)) }, entry.app ?? entry.target);
const key = ({ details, target }) => h('strong', null, details?.name ?? target);
const provider = ({ details, target }) => providerName(details?.provider ?? target);

/** By group, each action: its name in the filter, and what was done, as what follows the actor's name. */
export const ACTIONS = {
  Campaigns: {
    'notification.launched': { name: 'Launched', said: (entry, titles) => (entry.details?.scheduled_at && entry.details.status === 'QUEUED'
      ? ['scheduled ', campaign(entry, titles), ` for ${scheduled(entry.details.scheduled_at)}`] : ['launched ', campaign(entry, titles)]) },
    'notification.paused': { name: 'Paused', said: (entry, titles) => ['paused ', campaign(entry, titles)] },
    'notification.resumed': { name: 'Resumed', said: (entry, titles) => ['resumed ', campaign(entry, titles)] },
    'notification.unscheduled': { name: 'Unscheduled', said: (entry, titles) => ['unscheduled ', campaign(entry, titles)] },
    'notification.deleted': { name: 'Stopped or deleted', said: (entry, titles) => withdrawn(entry, titles) },
    'notification.resent': { name: 'Sent again', said: (entry, titles) => ['sent ', campaign(entry, titles), ' again to devices that had failed', entry.details?.reason && ` with ${entry.details.reason}`] },
    'notification.rate_changed': { name: 'Rate changed', said: (entry, titles) => ['set the rate of ', campaign(entry, titles), entry.details?.rate_limit ? ` to ${number(entry.details.rate_limit)} a second` : ' to as fast as allowed'] },
    'notification.tested': { name: 'Tested', said: (entry, titles) => ['sent a test of ', campaign(entry, titles)] },
  },
  Limits: {
    'limits.changed': { name: 'Limits changed', said: (entry) => ['changed the sending limits of ', entry.app ?? 'the installation'] },
  },
  Apps: {
    'app.created': { name: 'App created', said: (entry) => ['created the app ', app(entry)] },
    'app.deleted': { name: 'App deleted', said: (entry) => ['deleted the app ', h('strong', null, entry.app ?? entry.target)] },
    'provider.changed': { name: 'Credentials given', said: (entry) => ['gave ', app(entry), ' credentials for ', provider(entry)] },
    'provider.removed': { name: 'Credentials removed', said: (entry) => ['removed the credentials for ', provider(entry), ' from ', app(entry)] },
  },
  Keys: {
    'key.created': { name: 'Key created', said: (entry) => ['created the key ', key(entry)] },
    'key.rotated': { name: 'Key rotated', said: (entry) => ['gave the key ', key(entry), ' a new secret'] },
    'key.deleted': { name: 'Key revoked', said: (entry) => ['revoked the key ', key(entry)] },
  },
  'Sign-ins': {
    'session.begun': { name: 'Signed in', said: () => 'signed in' },
    'session.refused': { name: 'Sign-in refused', said: () => 'was refused at sign-in', nobody: 'Somebody' },
    'session.ended': { name: 'Signed out', said: () => 'signed out' },
  },
  Devices: {
    'device.restored': { name: 'Device restored', said: (entry) => ['restored the device ', device(entry)] },
    'device.deleted': { name: 'Device deleted', said: (entry) => ['deleted the device ', h('strong', null, entry.target)] },
  },
};

// What the log calls whoever showed a key that nobody knows.
const UNKNOWN = 'unknown';

const ALL = Object.assign({}, ...Object.values(ACTIONS));

/** What an entry says: who did what, and `more` of that. */
export function sentence(entry, titles, more = '') {
  const known = ALL[entry.action];
  const isKnown = entry.actor.name && !(known?.nobody && entry.actor.name === UNKNOWN);
  const who = h('strong', null, isKnown ? callerName(entry.actor.name) : (known?.nobody ?? 'Somebody'));
  return [who, ' ', known ? known.said(entry, titles) : `${entry.action} ${entry.target ?? ''}`, more, '.'];
}
