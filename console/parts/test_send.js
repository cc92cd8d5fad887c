// Sending a test: a campaign at once to a few devices by name, whatever its state; it counts for nothing else.

import { ifMatch, path, post } from '../lib/api.js';
import { drawn, h } from '../lib/dom.js';
import { trouble } from '../lib/outages.js';
import { meaning } from '../lib/reasons.js';
import { modal } from './dialog.js';
import { badge } from './pieces.js';
import { tokens } from './tokens.js';

const REMEMBERED = 'fanfare.test-devices';
const MOST = 20;

/**
 * Asks for devices, sends, and shows what became of each; answers whether anything was sent. `etag` is the
 * version that is meant, if one is; where another is stored it throws a Refusal of status 412. `sample()` (a
 * promise) are devices to suggest; `note` and what `news()` makes are to be known besides; `providers()` are those of
 * the feed's status.
 */
export async function sendTest({ uuid, etag, app, sample, news, note, providers }) {
  const state = { devices: remembered(app), outcomes: null, problem: null, busy: false, sent: false };
  const answer = await modal('Send a test', (close) => {
    const view = drawn(() => form(state, { uuid, etag, app, sample, news, note, providers, close, draw: () => view.draw() }));
    return view.element;
  });
  if (answer instanceof Error) throw answer;
  return state.sent;
}

/** The devices of the last test. */
function remembered(app) {
  try {
    return JSON.parse(localStorage.getItem(`${REMEMBERED}.${app}`)) ?? [];
  } catch {
    return [];
  }
}

function remember(app, devices) {
  localStorage.setItem(`${REMEMBERED}.${app}`, JSON.stringify(devices));
}

async function send(state, { uuid, etag, app, close, draw }) {
  if (state.busy) return;
  if (!state.devices.length) {
    state.problem = 'Name one device at least.';
    return draw();
  }
  Object.assign(state, { busy: true, problem: null, outcomes: null });
  draw();
  try {
    state.outcomes = await post(path`/notifications/${uuid}/:test`, { external_ids: state.devices }, { headers: ifMatch(etag) });
    state.sent = true;
    remember(app, state.devices);
  } catch (error) {
    if (error.status === 412) {
      // It may be asked again, and for the same devices.
      remember(app, state.devices);
      return close(error);
    }
    state.problem = error.message;
  }
  state.busy = false;
  return draw();
}

function form(state, site) {
  const change = (devices) => {
    Object.assign(state, { devices: devices.slice(0, MOST), outcomes: null, problem: null });
    site.draw();
  };
  const suggest = async (text) => (await site.sample())
    .filter(({ external_id: id }) => id.toLowerCase().includes(text.toLowerCase()) && !state.devices.includes(id))
    .map(({ external_id: id }) => ({ value: id, detail: 'of the audience' }));
  return h('form.test-send', { onsubmit: (event) => (event.preventDefault(), send(state, site)) },
    site.news?.(),
    h('p', null, 'It is pushed now, to these devices alone, whether they match or not. It counts for nothing else.'),
    site.note && h('p.small.soft', null, site.note),
    trouble(site.providers?.(), { isTest: true }).map((said) => h('p.note.warn', null, said)),
    h('div.field', null,
      h('span.label', { 'aria-hidden': 'true' }, 'Devices'),
      tokens({ label: 'Devices', values: state.devices, change, suggest, problem: state.problem, described: 'test-devices-hint', placeholder: 'A device’s id, then Enter' }),
      h('span.hint', { id: 'test-devices-hint' }, `Up to ${MOST}, by the external id that your app registered them with.`),
      state.problem && h('span.problem', { role: 'alert' }, state.problem)),
    state.outcomes && outcomes(state.outcomes),
    h('div.row.end', null,
      h('button', { type: 'button', onclick: () => site.close() }, 'Close'),
      h('button.primary', { type: 'submit', disabled: state.busy }, state.busy ? 'Sending …' : 'Send the test')));
}

const outcomes = (rows) => h('ul.test-outcomes', { role: 'status' }, rows.map(({ external_id: id, outcome, reason }) =>
  h('li', { key: id },
    h('span.grow.mono', { dir: 'auto' }, id),
    outcome === 'accepted'
      ? badge('Accepted', 'good')
      : [reason && h('span.small.soft', null, meaning(reason) ?? reason), badge('Failed', 'bad')])));
