// Whether a campaign is for a device, condition by condition.

import { get, post, query } from '../../lib/api.js';
import { isEveryone, sentence } from '../../lib/audience.js';
import { h } from '../../lib/dom.js';
import { number, time } from '../../lib/format.js';
import { STATUS, unsendable } from '../../lib/names.js';
import { remember, to } from '../../lib/router.js';
import { badge, loading, trouble } from '../../parts/pieces.js';
import '../../parts/combo_box.js';

/** How many campaigns are suggested at once. */
const SUGGESTED = 20;
const LONGEST = 200;
const JOINS = { AND: 'All of these must hold', OR: 'At least one of these must hold', NOT: 'None of these may hold' };

/** The card that explains; `chosen` is a campaign's uuid to begin with. */
export function explanation(site, chosen) {
  const own = { isAny: null, chosen: chosen ?? '', campaign: null, found: null, error: null };
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
      const any = await get(`/notifications${query({ size: 1 })}`, { signal: site.signal }).catch(() => null);
      own.isAny = any === null || any.length > 0;
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
  if (own.isAny === false) return h('p.soft', null, 'There is no campaign yet.');
  return h('div.field.campaign-choice', null,
    h('span.label', { 'aria-hidden': 'true' }, 'Campaign'),
    h('combo-box', {
      label: 'Campaign', value: own.chosen && own.campaign ? called(own.campaign) : '', placeholder: 'A part of its title',
      suggest, closed: true, onchoice: choose,
    }));
}

const called = ({ title }) => title || 'Untitled';

/** The newest campaigns with this in their title. */
async function suggest(text, signal) {
  const search = text.trim().slice(0, LONGEST);
  const found = await get(`/notifications${query({ search, size: SUGGESTED, order_bys: '-created_at,-id' })}`, { signal });
  return found.map((campaign) => ({
    value: campaign.uuid, text: called(campaign), detail: `${STATUS[campaign.status]?.name ?? campaign.status}, ${time(campaign.created_at)}`,
  }));
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
