// The keys of an app: what each may do, making, rotating and revoking them.

import { path } from '../../lib/api.js';
import { h } from '../../lib/dom.js';
import { time } from '../../lib/format.js';
import { confirmed, edited, shownOnce } from '../../parts/dialog.js';
import { badge, field, when } from '../../parts/pieces.js';
import { failed, toast } from '../../parts/toast.js';

const SCOPES = {
  admin: 'Everything: keys, limits, the audit log, and what the others may do.',
  send: 'Writes, tests, launches, pauses and deletes campaigns.',
  read: 'Looks at campaigns, devices and numbers, and changes nothing.',
  register: 'Registers, changes and removes devices. For the app’s server; it cannot sign in here alone.',
};
const DAY_HOURS = 24;
const LONGEST_HOURS = 720;

/** The card of keys. */
export function keys(site, app) {
  return h('section.card.flush', { 'aria-labelledby': 'keys' },
    h('header', null, h('h2', { id: 'keys' }, 'Keys'), h('button.compact', { type: 'button', onclick: () => create(site, app) }, 'Create a key')),
    app.keys.length
      ? h('table.key-rows', null,
        h('thead', null, h('tr', null, ['Name', 'May', 'Made', ''].map((label, index) => h('th', { scope: 'col' }, label || h('span.unseen', null, `Actions ${index}`))))),
        h('tbody', null, app.keys.map((key) => row(site, app, key))))
      : h('p.soft.pad.small', null, site.session.open ? 'No key is needed while the installation is open.' : 'No key: nobody can call for this app but the installation’s operator.'),
    app.key && h('p.soft.small.pad', null, 'Callers show a secret as a bearer token, or by Basic authentication with the user name ', h('code', null, app.key), '.'));
}

function row(site, app, key) {
  const isStored = key.source === 'stored';
  const isOwn = site.session.key_name === key.name && site.session.app === app.name;
  return h('tr', { key: key.id },
    h('td.name', null, h('strong', null, key.name), isOwn && h('span.soft.small', null, ' (yours now)'),
      key.previous_valid_until && h('small.soft', null, `Its earlier secret works until ${time(key.previous_valid_until)}`)),
    h('td.scopes', null, h('span.row.tight', null, key.scopes.map((scope) => h('span.chip', { title: SCOPES[scope] }, scope)))),
    h('td.soft.made', null, isStored ? when(key.created_at) : badge('In the configuration', 'quiet')),
    h('td.end', null, isStored && h('div.row.end.nowrap-row', null,
      h('button.compact', { type: 'button', 'aria-label': `Rotate ${key.name}`, onclick: () => rotate(site, app, key) }, 'Rotate'),
      h('button.compact.danger', { type: 'button', 'aria-label': `Revoke ${key.name}`, onclick: () => revoke(site, app, key, isOwn) }, 'Revoke'))));
}

async function create(site, app) {
  const made = await edited('Create a key', { name: '', scopes: ['read'] }, {
    sure: 'Create',
    fields: (state, draft, problem) => [
      field('Name', (id) => h('input', {
        id, type: 'text', required: true, value: state.name, autocomplete: 'off', oninput: ({ target }) => draft({ name: target.value }),
      }), { id: 'key-name', hint: 'Who or what will use it. The audit log shows it.', problem: problem('name') }),
      h('fieldset.stack.tight', null, h('legend.field-legend', null, 'It may'),
        Object.entries(SCOPES).map(([scope, said]) => h('label.check.scope', null,
          h('input', { type: 'checkbox', checked: state.scopes.includes(scope), onchange: ({ target }) => draft({ scopes: toggled(state.scopes, scope, target.checked) }) }),
          h('span', null, h('strong', null, scope), h('span.soft.small', null, said)))),
        problem('scopes') && h('p.problem', { role: 'alert' }, problem('scopes'))),
    ],
    save(state) {
      if (!state.scopes.length) throw new Error('Choose what it may do.');
      return site.change('POST', path`/apps/${app.name}/keys`, { name: state.name.trim(), scopes: state.scopes });
    },
  });
  if (made) await shownOnce(`The secret of ${made.name}`, 'Keep it now: it is shown this once, and nobody can look it up later.', made.secret);
}

const toggled = (all, one, isOn) => Object.keys(SCOPES).filter((scope) => (scope === one ? isOn : all.includes(scope)));

async function rotate(site, app, key) {
  const made = await edited(`Rotate ${key.name}`, { hours: String(DAY_HOURS) }, {
    sure: 'Make the new secret',
    fields: (state, draft, problem) => [
      h('p', null, 'The key gets a new secret. The present one goes on working for a while, so that callers can change over without a gap.'),
      field('Hours that both work', (id) => h('input', {
        id, type: 'number', min: 0, max: LONGEST_HOURS, step: 1, required: true, value: state.hours, oninput: ({ target }) => draft({ hours: target.value }),
      }), { id: 'overlap', hint: '0 ends the present secret at once.', problem: problem('overlap_hours') }),
    ],
    save: (state) => site.change('POST', path`/apps/${app.name}/keys/${key.id}/:rotate`, { overlap_hours: Number(state.hours) }),
  });
  if (!made) return;
  const until = made.previous_valid_until ? `The earlier one works until ${time(made.previous_valid_until)}.` : 'The earlier one no longer works.';
  await shownOnce(`The new secret of ${key.name}`, `Keep it now: it is shown this once. ${until}`, made.secret);
}

async function revoke(site, app, key, isOwn) {
  const sure = await confirmed(`Revoke ${key.name}?`, [
    h('p', null, 'Callers that show this key are refused from now on, and whoever signed in with it is signed out. This cannot be undone.'),
    isOwn && h('p.note.warn', null, 'You are signed in with this key.'),
  ], { sure: 'Revoke 1 key', danger: true });
  if (!sure) return;
  try {
    await site.change('DELETE', path`/apps/${app.name}/keys/${key.id}`);
    toast(`Revoked ${key.name}.`);
  } catch (error) {
    failed(error);
  }
}
