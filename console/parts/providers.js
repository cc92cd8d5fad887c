// How each provider does: whether pushes go, what waits, how long answers take.

import { h } from '../lib/dom.js';
import { ago, number, percent, short } from '../lib/format.js';
import { providerName } from '../lib/names.js';
import { consequence, headline, outages } from '../lib/outages.js';
import { meaning } from '../lib/reasons.js';
import { to } from '../lib/router.js';
import { badge } from './pieces.js';

/** `providers` and `rates` of a status. */
export function providersTable(providers, rates) {
  const rows = Object.entries(providers ?? {}).sort(([a], [b]) => a.localeCompare(b));
  if (!rows.length) return h('p.soft', null, 'The app has no provider to push through yet. ', h('a', { href: to('/apps') }, 'Add credentials'));
  return h('ul.providers', null, rows.map(([key, provider]) => row(key, provider, rates?.[key])));
}

function row(key, provider, rate) {
  const [word, tone] = health(provider);
  const { accepted = 0, failed = 0 } = rate ?? {};
  return h('li', { key },
    h('div.row', null, h('strong.grow.provider-name', { dataset: { line: key } }, providerName(key)), badge(word, tone)),
    trouble(key, provider),
    h('dl.figures', null,
      figure('per second', number(rate?.per_second)),
      figure('waiting', short(provider.waiting ?? 0)),
      figure('under way', number(provider.in_flight)),
      figure('median answer', milliseconds(provider.latency_ms?.p50)),
      figure('99 % answer within', milliseconds(provider.latency_ms?.p99)),
      figure('accepted since start', short(accepted)),
      figure('failed since start', short(failed)),
      figure('of all failed', percent(failed, accepted + failed), failed > MUCH * (accepted + failed) ? 'bad-text' : null)));
}

/** A share of failures that somebody should look at. */
const MUCH = 0.2;

const figure = (name, value, tone) => h('div', null, h('dt', null, name), h('dd', { class: tone }, value));

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const milliseconds = (value) => (value === null || value === undefined ? '–' : value < 10 ? `${value.toFixed(1)} ms` : `${number(value)} ms`);

function health({ refused, state }) {
  if (refused) return ['Refuses our credentials', 'bad'];
  if (state === 'open') return ['Out of order', 'bad'];
  if (state === 'half_open') return ['Being tried again', 'warn'];
  return ['Answers', 'good'];
}

function trouble(key, provider) {
  const { reason, retry_at: retryAt } = provider;
  if (!reason && !retryAt) return null;
  const word = outages({ [key]: provider })[0]?.why;
  const why = word ? sentence(meaning(word) ? `${meaning(word)} (${word})` : word) : (reason ?? 'Pushes wait');
  return h('p.note.bad.small', null, `${why}.`, retryAt && ` Tried again ${ago(retryAt)}.`);
}

/** A provider in trouble, and what that means; `credentials` is where those are given, for who may. */
export const outageNote = (outage, credentials) => h('p.note', { key: outage.provider, class: outage.isRefused ? 'bad' : 'warn', role: 'status' },
  `${headline(outage)}. ${consequence(outage)}`,
  outage.isRefused && credentials && [' ', h('a', { href: credentials }, 'To the credentials')]);
