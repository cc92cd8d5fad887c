// Whether a campaign is for a device, condition by condition.

import { get, post, query } from '../../lib/api.js';
import { isEveryone, sentence } from '../../lib/audience.js';
import { h } from '../../lib/dom.js';
import { number } from '../../lib/format.js';
import { STATUS, unsendable } from '../../lib/names.js';
import { remember, to } from '../../lib/router.js';
import { badge, field, loading, trouble } from '../../parts/pieces.js';

const CHOICE = 100;
const JOINS = { AND: 'All of these must hold', OR: 'At least one of these must hold', NOT: 'None of these may hold' };

/** The card that explains; `chosen` is a campaign's uuid to begin with. */
export function explanation(site, chosen) {
  const own = { campaigns: null, chosen: chosen ?? '', campaign: null, found: null, error: null };
  async function choose(uuid) {
    Object.assign(own, { chosen: uuid, campaign: null, found: null, error: null });
    remember({ campaign: uuid });
    site.draw();
    if (uuid) await explain(uuid);
  }
  async function explain(uuid) {
    try {
      const campaign = await get(`/notifications/${encodeURIComponent(uuid)}`, { signal: site.signal });
      const found = isEveryone(campaign.conditions)
        ? { matches: true, clause: null }
        : await post('/audience/:explain', { external_id: site.id, conditions: campaign.conditions }, { signal: site.signal });
      if (uuid === own.chosen) Object.assign(own, { campaign, found });
    } catch (error) {
      if (error.name === 'AbortError' || uuid !== own.chosen) return;
      own.error = error;
    }
    site.draw();
  }
  return {
    async begin() {
      if (own.chosen) explain(own.chosen);
      own.campaigns ??= await get(`/notifications${query({ size: CHOICE, order_bys: '-created_at' })}`, { signal: site.signal }).catch(() => []);
      site.draw();
    },
    draw: () =>
      h('section.card', { 'aria-labelledby': 'explanation' },
        h('h2', { id: 'explanation' }, 'Is it in a campaign’s audience?'),
        choice(own, choose),
        own.error && trouble(own.error, () => choose(own.chosen)),
        own.chosen && !own.found && !own.error && loading(),
        own.found && answer(own, site.state.device)),
  };
}

function choice(own, choose) {
  if (own.campaigns && !own.campaigns.length) return h('p.soft', null, 'There is no campaign yet.');
  const all = own.campaigns ?? [];
  const isOther = own.chosen && !all.some(({ uuid }) => uuid === own.chosen);
  return field('Campaign', (id) => h('select.campaign-choice', { id, onchange: ({ target }) => choose(target.value) },
    h('option', { value: '', selected: !own.chosen }, 'Choose one'),
    isOther && h('option', { value: own.chosen, selected: true }, own.campaign?.title ?? own.chosen),
    all.map(({ uuid, title, status }) => h('option', { value: uuid, selected: uuid === own.chosen }, `${title || 'Untitled'} (${STATUS[status]?.name ?? status})`))),
  { id: 'campaign' });
}

function answer({ campaign, found }, device) {
  const reason = unsendable(device);
  const name = h('a', { href: to(`/campaigns/${campaign.uuid}`) }, campaign.title || 'this campaign');
  const said = found.matches && reason
    ? [badge('Matches, but would not be sent to', 'warn'), ' This device matches the audience of ', name, `, but would not be sent to: ${reason}.`]
    : found.matches
      ? [badge('Matches', 'good'), ' This device is in the audience of ', name, '.']
      : [badge('Does not match', 'bad'), ' This device is not in the audience of ', name, '.'];
  return h('div.stack.tight', null,
    h('p', null, said),
    found.clause ? h('ul.explained', null, clause(found.clause)) : h('p.soft', null, 'The campaign is for everyone.'));
}

/** One clause with its answer. Where none may hold, one that does not is as it should be. */
function clause(node, unwanted = false) {
  const tone = node.matches ? (unwanted ? 'no' : 'yes') : (unwanted ? 'soft' : 'no');
  const mark = h('span.mark', { class: tone, role: 'img', 'aria-label': node.matches ? 'Holds' : 'Does not hold' }, node.matches ? '✓' : '✕');
  if (node.conditions) {
    return h('li', null, h('div.explained-line', null, mark, h('span', null, JOINS[node.join_type] ?? node.join_type)),
      h('ul.explained', null, node.conditions.map((child) => clause(child, node.join_type === 'NOT'))));
  }
  return h('li', null, h('div.explained-line', null, mark, h('span', null, sentence(node), h('span.soft', null, ' · ', actual(node.actual, node.actual_more)))));
}

function actual(value, more) {
  if (value === null || value === undefined) return 'the device has no such value';
  const all = [value].flat();
  if (!all.length) return 'the device has none';
  return ['the device has ', h('strong', null, all.map((one) => (typeof one === 'string' ? `“${one}”` : String(one))).join(', ')), more > 0 && ` and ${number(more)} more`];
}
