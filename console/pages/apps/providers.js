// The providers of an app: whether they take our credentials, and giving and removing those.

import { path } from '../../lib/api.js';
import { h } from '../../lib/dom.js';
import { providerName } from '../../lib/names.js';
import { outages } from '../../lib/outages.js';
import { confirmed, edited } from '../../parts/dialog.js';
import { badge, field, snippet, when } from '../../parts/pieces.js';
import { failed, toast } from '../../parts/toast.js';

/** What providers say of credentials. */
const STATES = {
  ok: { name: 'Accepted', tone: 'good', said: 'The provider takes the credentials.' },
  refused: { name: 'Refused', tone: 'bad', said: 'The provider refuses the credentials; nothing is sent through it.' },
  out_of_order: { name: 'Out of order', tone: 'warn', said: 'The provider does not answer as it should. It is asked again by itself.' },
  unknown: { name: 'Not asked yet', tone: 'quiet', said: 'Nobody has asked yet whether the provider takes the credentials.' },
};
const GIVEN = ['apns', 'fcm'];
const NAMES = { apns: 'Apple Push Notification service', fcm: 'Firebase Cloud Messaging', email: 'Mail server' };

/** The card of providers. */
export function providers(site, app) {
  const isOurs = app.source === 'stored';
  const mayGive = isOurs && site.session.sealing;
  const missing = GIVEN.filter((provider) => !app.providers.some((row) => row.provider === provider));
  return h('section.card', { 'aria-labelledby': 'providers' },
    h('header', null, h('h2', { id: 'providers' }, 'Providers'), app.source === 'configuration' && h('span.soft.small', null, 'Credentials are in the configuration file')),
    h('ul.provider-rows', null,
      app.providers.map((row) => provider(site, app, row, { isOurs, mayGive })),
      missing.map((name) => h('li', { key: name },
        h('div.grow', null, title(name), h('p.soft.small', null, 'No credentials: its devices cannot be reached.')),
        mayGive && h('button.compact', { type: 'button', onclick: () => give(site, app, name) }, 'Give credentials')))),
    isOurs && !mayGive && unsealed(),
    !isOurs && missing.length > 0 && configured(app, missing));
}

const LINES = {
  apns: '[apps.apns]\nkey_file = "AuthKey_ABCDE12345.p8"\nkey_id = "ABCDE12345"\nteam_id = "FGHIJ67890"\ntopic = "com.example.shop"\nenvironment = "production"',
  fcm: '[apps.fcm]\nservice_account_file = "service-account.json"',
};

/** How an app of the configuration gets what it misses. */
const configured = (app, missing) =>
  h('div.stack.tight', null,
    h('p', null, 'They are given in the configuration file; then the server is started again:'),
    snippet('The lines of the configuration', [`[[apps]]\nname = "${app.name}"`, ...missing.map((name) => LINES[name])].join('\n\n')),
    missing.length === GIVEN.length && h('p.soft.small', null, 'None at hand? ', h('code', null, 'fanfare sandbox'), ' plays both providers on this machine, and prints a configuration to start with.'));

// One for as long as the console is open: the text must not change while somebody copies it.
const PROPOSED = Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** What has to be set before credentials can be given. */
const unsealed = () => h('div.note.warn.stack.tight', null,
  h('p', null, h('strong', null, 'Credentials cannot be given yet.'), ' They are kept sealed, and this server has nothing to seal them with. Whoever runs it puts this into its fanfare.toml, under [internal], and starts it again. The text is to be kept: without it they cannot be opened any more.'),
  snippet('The lines of the configuration', `[internal]\nsealing_secret = "${PROPOSED}"`));

const title = (name, state) => h('div.row.tight', null, h('h3', null, providerName(name)), state, h('span.soft.small.wide-only', null, NAMES[name]));

/** How a provider stands: what the feed tells of now, where it tells of this app, is newer than the last check. */
export function standing({ feed: { status } }, app, row) {
  const checked = STATES[row.state] ?? { name: row.state, tone: 'quiet' };
  const live = status?.app === app.name && outages(status.providers).find(({ provider }) => provider === row.provider);
  if (!live) return { ...checked, reason: row.reason };
  const state = live.isRefused ? STATES.refused : STATES.out_of_order;
  return { ...state, reason: live.why, isFault: !live.isRefused, before: row.state === 'ok' && 'It accepted the credentials when it was asked, ' };
}

function provider(site, app, row, { isOurs, mayGive }) {
  const state = standing(site, app, row);
  const isChecking = site.state.checking.has(`${app.name}/${row.provider}`);
  const facts = [row.topic && `Topic ${row.topic}`, row.environment && `${row.environment} environment`].filter(Boolean).join(' · ');
  return h('li', { key: row.provider },
    h('div.grow', null,
      title(row.provider, badge(state.name, state.tone)),
      h('p.small', null, state.said, state.reason && [state.isFault ? ' Why: ' : ' It says: ', h('strong', null, state.reason)]),
      h('p.soft.small', null, facts, facts && row.checked_at && ' · ', row.checked_at && [state.before || (facts ? 'asked ' : 'Asked '), when(row.checked_at)])),
    h('div.row', null,
      h('button.compact', { type: 'button', disabled: isChecking, onclick: () => check(site, app, row.provider) }, isChecking ? 'Asking …' : row.state === 'unknown' ? 'Check' : 'Check again'),
      isOurs && GIVEN.includes(row.provider) && [
        mayGive && h('button.compact', { type: 'button', onclick: () => give(site, app, row.provider, row) }, 'Replace'),
        h('button.compact.danger', { type: 'button', onclick: () => take(site, app, row.provider) }, 'Remove')]));
}

/** Asks, once for a page, the providers of which nobody knows what they think. */
export function checkUnknown(site, app) {
  const unknown = app.providers.filter((row) => row.state === 'unknown' && !site.state.asked.has(`${app.name}/${row.provider}`));
  for (const { provider: name } of unknown) {
    site.state.asked.add(`${app.name}/${name}`);
    check(site, app, name, true);
  }
}

async function check(site, app, name, quiet = false) {
  const mark = `${app.name}/${name}`;
  site.state.checking.add(mark);
  site.draw();
  try {
    const row = await site.change('POST', path`/apps/${app.name}/providers/${name}/:check`, {});
    const state = STATES[row.state] ?? { name: row.state };
    if (!quiet) toast(`${providerName(name)}: ${state.name}.`, row.state === 'ok' ? undefined : 'bad');
  } catch (error) {
    if (!quiet) failed(error);
  }
  site.state.checking.delete(mark);
  site.draw();
}

async function take(site, app, name) {
  const sure = await confirmed(`Remove the credentials for ${providerName(name)}?`,
    h('p', null, `Devices of ${app.name} are no longer reached through ${providerName(name)}, running campaigns included. The credentials cannot be shown or restored from here.`),
    { sure: 'Remove', danger: true });
  if (!sure) return;
  try {
    await site.change('DELETE', path`/apps/${app.name}/providers/${name}`);
    toast('Removed.');
  } catch (error) {
    failed(error);
  }
}

async function give(site, app, name, row) {
  const send = (body) => site.change('PUT', path`/apps/${app.name}/providers/${name}`, body);
  const done = await (name === 'apns' ? giveApns(send, row) : giveFcm(send));
  if (done) toast(`${providerName(name)} has its credentials. Check them now to be sure.`);
}

/** Reads a file that somebody chose; it goes nowhere but into the form. */
const chosenFile = (label, accept, taken, more) =>
  field(label, (id) => h('input', {
    id, type: 'file', accept,
    async onchange({ target }) {
      const [file] = target.files;
      if (file) taken({ name: file.name, text: await file.text() });
    },
  }), more);

function giveApns(send, row) {
  const before = { way: 'key', file: null, keyId: '', teamId: '', topic: row?.topic ?? '', environment: row?.environment ?? 'production' };
  const input = (label, name, draft, more) => (state) => field(label, (id) => h('input', {
    id, type: 'text', required: true, value: state[name], autocomplete: 'off', spellcheck: false, oninput: ({ target }) => draft({ [name]: target.value }),
  }), more);
  return edited('Credentials for APNs', before, {
    fields: (state, draft, problem) => {
      const isKey = state.way === 'key';
      const way = (value, label) => h('label.check', null,
        h('input', { type: 'radio', name: 'way', checked: state.way === value, onchange: () => draft({ way: value, file: null }) }), label);
      return [
        h('fieldset.stack.tight', null, h('legend.unseen', null, 'Kind of credentials'),
          way('key', 'A signing key (.p8): serves every app of the team'), way('certificate', 'A certificate with its private key (PEM)')),
        isKey
          ? h('div', { key: 'p8' }, chosenFile('Signing key', '.p8,.pem,.key', (file) => draft({ file, keyId: state.keyId || (/AuthKey_(\w{10})/.exec(file.name)?.[1] ?? '') }),
            { id: 'apns-key', hint: 'Apple lets you download it once, as AuthKey_….p8.', problem: problem('private_key') }))
          : h('div', { key: 'pem' }, chosenFile('Certificate', '.pem,.crt,.cer', (file) => draft({ file }),
            { id: 'apns-certificate', hint: 'One PEM file that holds both.', problem: problem('certificate') })),
        isKey && h('div.columns.half', null,
          input('Key id', 'keyId', draft, { id: 'apns-key-id', hint: 'Ten characters', problem: problem('key_id') })(state),
          input('Team id', 'teamId', draft, { id: 'apns-team-id', hint: 'Ten characters', problem: problem('team_id') })(state)),
        input('Topic', 'topic', draft, { id: 'apns-topic', hint: 'The app’s bundle id, such as com.example.shop.', problem: problem('topic') })(state),
        field('Environment', (id) => h('select', { id, onchange: ({ target }) => draft({ environment: target.value }) },
          [['production', 'Production: App Store and TestFlight'], ['sandbox', 'Sandbox: built from Xcode']].map(([value, label]) => h('option', { value, selected: value === state.environment }, label))),
        { id: 'apns-environment', problem: problem('environment') }),
      ];
    },
    save(state) {
      if (!state.file) throw new Error('Choose the file first.');
      const { topic, environment } = state;
      const common = { topic: topic.trim(), environment };
      return send(state.way === 'key'
        ? { key_id: state.keyId.trim(), team_id: state.teamId.trim(), private_key: state.file.text, ...common }
        : { certificate: state.file.text, ...common });
    },
  });
}

function giveFcm(send) {
  return edited('Credentials for FCM', { account: null, problem: null }, {
    fields: (state, draft, problem) => [
      chosenFile('Service account', '.json,application/json', ({ text }) => draft(serviceAccount(text)),
        { id: 'fcm-account', hint: 'The JSON file from the Firebase console, under Project settings, Service accounts.', problem: state.problem ?? problem('service_account') }),
      state.account && h('dl.facts', null,
        h('dt', null, 'Project'), h('dd', null, state.account.project_id),
        h('dt', null, 'Account'), h('dd', null, state.account.client_email)),
    ],
    save(state) {
      if (!state.account) throw new Error('Choose the file first.');
      return send({ service_account: state.account });
    },
  });
}

function serviceAccount(text) {
  try {
    const account = JSON.parse(text);
    const isOne = account?.type === 'service_account' && account.private_key && account.client_email && account.project_id;
    return isOne ? { account, problem: null } : { account: null, problem: 'This is not the key file of a service account.' };
  } catch {
    return { account: null, problem: 'This file is not JSON.' };
  }
}
