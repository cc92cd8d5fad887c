// Providers that nothing can be sent through now: which, why, and what becomes of their devices.

import { number } from './format.js';
import { SENDING, providerName } from './names.js';
import { fault, meaning } from './reasons.js';

const OF_CREDENTIALS = /^refuses the credentials: /;
const OF_ANSWERS = /^does not answer as it should: /;

/** Of a status's `providers`, those in trouble: `{ provider, name, isRefused, why }`. Between two probes a
 * provider is as much out of order as at them. */
export function outages(providers) {
  const rows = Object.entries(providers ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return rows.filter(([, { refused, state }]) => refused || state === 'open' || state === 'half_open')
    .map(([provider, row]) => ({ provider, name: providerName(provider), isRefused: Boolean(row.refused), why: why(row) }));
}

/** The provider's own words within the feed's sentence, in words of people; null where it says none. */
function why({ reason, refused }) {
  const pattern = refused ? OF_CREDENTIALS : OF_ANSWERS;
  if (!pattern.test(reason ?? '')) return null;
  const word = reason.replace(pattern, '');
  return refused ? word : (fault(word) ?? meaning(word) ?? word);
}

const because = ({ why: words }) => (words ? ` (${words})` : '');

/** `FCM is out of order (connection refused)` */
export const headline = (outage) =>
  `${outage.name} ${outage.isRefused ? 'refuses the app’s credentials' : 'is out of order'}${because(outage)}`;

/** What that means as long as it lasts. */
export const consequence = ({ isRefused }) => (isRefused
  ? 'Its devices fail until the credentials are mended; then the message can be sent to them again.'
  : 'What is sent through it waits, and goes when it is back. Nothing needs doing.');

/** Sentences to be read before something is sent, a provider each; `isTest` of a push that does not wait. */
export function trouble(providers, { isTest = false } = {}) {
  return outages(providers).map((outage) => {
    if (isTest) return `${headline(outage)}: a test to its devices is likely to fail now.`;
    return `${headline(outage)}. ${outage.isRefused ? consequence(outage) : 'Its devices wait, and get the message when it is back.'}`;
  });
}

/** Those that are out of order and waited for. */
export const absent = (providers) => outages(providers).filter(({ isRefused }) => !isRefused);

/**
 * How many devices of a campaign (its account, of lib/progress.js) wait for providers that are away; null
 * where nobody knows. What is left is that many once nothing else moves: `isStill` says that the campaign
 * has not for some time.
 */
export function waiting({ status, left }, providers, isStill) {
  const away = new Set(absent(providers).map(({ provider }) => provider));
  if (status !== SENDING || !away.size || !left || !isStill) return null;
  const others = Object.entries(providers).filter(([provider]) => !away.has(provider));
  return others.every(([, row]) => !row.waiting && !row.in_flight) ? left : null;
}

/** The sentence of a campaign that waits for providers; null where none is away. */
export function waitingSaid(account, providers, isStill) {
  const away = absent(providers);
  if (account.status !== SENDING || !away.length) return null;
  const [which, many] = [namesOf(away, (outage) => outage.name + (away.length > 1 ? because(outage) : '')), away.length > 1];
  const order = `out of order${many ? '' : because(away[0])}`;
  const devices = waiting(account, providers, isStill);
  if (devices === null) return `${which} ${many ? 'are' : 'is'} ${order}. Devices that are reached through ${many ? 'them' : 'it'} wait, and are sent to when ${many ? 'they are' : 'it is'} back. Nothing needs doing.`;
  const rest = devices === 1 ? '1 waits' : `${number(devices)} wait`;
  return `${rest} for ${which}, which ${many ? 'are' : 'is'} ${order}; ${devices === 1 ? 'it is' : 'they are'} sent when ${many ? 'those are' : 'it is'} back. Nothing needs doing.`;
}

/** `APNs and FCM` */
export const namesOf = (all, name = (outage) => outage.name) => all.map(name).join(' and ');
