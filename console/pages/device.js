// One device: what is known of it, what happened to it, and whether a campaign is for it.

import { get, patch, path, post, remove } from '../lib/api.js';
import { drawn, h } from '../lib/dom.js';
import { devicePlatform, deviceProvider } from '../lib/names.js';
import { go, to } from '../lib/router.js';
import { confirmed, edited } from '../parts/dialog.js';
import { badge, empty, field, loading, pageHead, trouble, when } from '../parts/pieces.js';
import { failed, toast } from '../parts/toast.js';
import { explanation } from './device/explanation.js';
import { history } from './device/history.js';
import { properties } from './device/properties.js';
import { tags } from './device/tags.js';

export function page({ params, query: asked, can }) {
  const leaving = new AbortController();
  const state = { device: null, error: null };
  const draw = () => view.draw();
  const site = {
    id: params.id, state, draw, signal: leaving.signal,
    mayChange: can('register'),
    /** Changes the device, and shows it as the server has it then. */
    async change(changes) {
      state.device = await patch(path`/devices/${params.id}`, changes, { exact: true });
      draw();
      return state.device;
    },
  };
  const parts = [properties(site), tags(site), explanation(site, asked.get('campaign')), history(site)];
  const view = drawn(() => h('div.stack', null, shown(site, load, parts)));
  async function load() {
    state.error = null;
    draw();
    try {
      state.device = await get(path`/devices/${params.id}`, { exact: true, signal: leaving.signal });
      parts.forEach((part) => part.begin?.());
    } catch (error) {
      if (error.name !== 'AbortError') state.error = error;
    }
    draw();
  }
  load();
  return { title: params.id, element: view.element, leave: () => leaving.abort() };
}

function shown(site, load, [propertyCard, tagCard, explanationCard, historyCard]) {
  const { device, error } = site.state;
  const back = h('a', { href: to('/devices') }, 'Devices');
  if (error?.status === 404) return h('div.card', null, empty('There is no such device, or it belongs to another app.', h('p.mono', null, site.id), back));
  if (error) return trouble(error, load);
  if (!device) return loading();
  return [
    pageHead(h('span.device-name', null, device.external_id),
      [back, ` · ${devicePlatform(Number(device.device_platform))} · last seen `, when(device.last_seen)],
      site.mayChange && h('button.danger', { type: 'button', onclick: () => forget(device) }, 'Delete')),
    pruned(site, load),
    h('div.device-columns', null,
      h('div.stack', null, facts(site), tagCard.draw()),
      propertyCard.draw()),
    explanationCard.draw(),
    historyCard.draw(),
  ];
}

function pruned({ state: { device }, mayChange, id }, load) {
  if (!device.pruned) return null;
  const restore = async () => {
    try {
      await post(path`/devices/${id}/:restore`);
      toast('The token is tried again from the next campaign on.');
      load();
    } catch (error) {
      failed(error);
    }
  };
  return h('div.note.warn.row', null,
    h('p.grow', null, 'Its token was given up ', when(device.pruned.at), ': the provider answered ', h('strong', null, device.pruned.reason), '. Nothing is sent to it until its app registers again.'),
    mayChange && h('button', { type: 'button', onclick: restore }, 'Restore'));
}

function facts(site) {
  const { device } = site.state;
  const fact = (name, value) => [h('dt', null, name), h('dd', null, value)];
  const open = (value) => value ?? h('span.soft', null, 'Not said');
  return h('section.card', { 'aria-labelledby': 'facts' },
    h('header', null, h('h2', { id: 'facts' }, 'About this device'),
      site.mayChange && h('button.compact', { type: 'button', onclick: () => describe(site) }, 'Change')),
    h('dl.facts', null,
      fact('Alias', open(device.alias)),
      fact('Language', open(device.locale)),
      fact('Time zone', open(device.timezone)),
      fact('Platform', devicePlatform(Number(device.device_platform))),
      fact('Reached by', deviceProvider(Number(device.send_platform)) ?? badge('No provider', 'quiet')),
      fact('Token', device.push_token ? h('code', null, cut(device.push_token)) : badge('No token', 'quiet')),
      fact('Registered', when(device.created_at)),
      fact('Last seen', when(device.last_seen)),
      fact('Number', h('span.number', null, device.id.text))));
}

/** Enough of a token to tell it from others, and too little to use it. */
function cut(token) {
  if (token.length < 24) return `${token.slice(0, 4)}…`;
  return `${token.slice(0, 6)}…${token.slice(-4)}`;
}

async function describe(site) {
  const { alias, locale, timezone } = site.state.device;
  const text = (state, change, problem, name, label, hint) =>
    field(label, (id) => h('input', { id, type: 'text', value: state[name], autocomplete: 'off', oninput: ({ target }) => change({ [name]: target.value }) },
    ), { id: `device-${name}`, hint, problem: problem(name) });
  const done = await edited('About this device', { alias: alias ?? '', locale: locale ?? '', timezone: timezone ?? '' }, {
    fields: (state, change, problem) => [
      text(state, change, problem, 'alias', 'Alias', 'Its user’s name in your system, say. Several devices may have the same.'),
      text(state, change, problem, 'locale', 'Language', 'A language tag, such as ko or pt-BR.'),
      text(state, change, problem, 'timezone', 'Time zone', 'Its name, such as Asia/Seoul.'),
    ],
    save: (state) => site.change(Object.fromEntries(Object.entries(state).map(([name, value]) => [name, value.trim() || null]))),
  });
  if (done) toast('Changed.');
}

async function forget({ external_id: id }) {
  const sure = await confirmed('Delete this device?', [
    h('p.mono.device-name', null, id),
    h('p', null, 'It is forgotten with its properties and tags, and nothing more is sent to it. If its app registers again, it is a new device.'),
  ], { sure: 'Delete 1 device', danger: true });
  if (!sure) return;
  try {
    await remove(path`/devices/${id}`);
    toast(`Deleted ${id}.`);
    go('/devices');
  } catch (error) {
    failed(error);
  }
}
