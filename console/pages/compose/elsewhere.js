// A draft that another tab or another person changed meanwhile: whose words are to stand is asked, and nothing
// is saved, sent or launched before that.

import { h } from '../../lib/dom.js';
import { DRAFT, STATUS } from '../../lib/names.js';
import { to } from '../../lib/router.js';
import { modal } from '../../parts/dialog.js';
import { contentOf, formOf } from './content.js';

/**
 * Does `work`, which saves, sends a test or launches. Where another version is stored, asks whose is to stand, and with
 * one's own does it again, over the other. Answers `mine` when it was done, `theirs` when what is stored is to
 * be loaded, null when nothing was decided.
 */
export async function carriedOut(draft, work) {
  for (;;) {
    try {
      await work();
      return 'mine';
    } catch (error) {
      if (error.status !== 412) throw error;
    }
    const { result: theirs, etag } = await draft.stored();
    const differing = differences(draft, theirs);
    const isDraft = theirs.status === DRAFT;
    // The answer to an earlier saving was lost: it is what stands here that is stored.
    const whose = isDraft && !differing.length ? 'mine' : await asked(draft, theirs, isDraft, differing);
    if (whose !== 'mine') return whose;
    draft.replaces(etag);
  }
}

const NAMES = {
  title: 'title', body: 'text', deep_link: 'link', image_url: 'picture', icon_url: 'icon', conditions: 'audience', scheduled_at: 'time',
  time_to_live: 'how long it is kept', collapse_id: 'collapse id', rate_limit: 'rate', data: 'data', dry_run: 'dry run',
};

/** In what a draft and what is stored of it differ, by the API's names. */
function differences(draft, theirs) {
  const [mine, other] = [draft.content, contentOf(formOf(theirs, draft.zone))];
  return Object.keys(mine).filter((name) => JSON.stringify(mine[name]) !== JSON.stringify(other[name]));
}

function asked(draft, theirs, isDraft, differing) {
  if (!isDraft) return noDraftAnyMore(theirs);
  return modal('This draft was changed elsewhere', (close) => h('div.stack.elsewhere', null,
    h('p', null, 'Another tab or another person saved it after it was opened here. Nothing was saved or sent now.'),
    h('dl.facts', null,
      h('dt', null, 'Theirs'), h('dd', null, words(theirs)),
      h('dt', null, 'Mine'), h('dd', null, words(draft.form)),
      h('dt', null, 'They differ in'), h('dd', null, differing.map((name) => NAMES[name] ?? name).join(', '))),
    h('p.soft.small', null, '“Keep mine” replaces theirs. “Load theirs” gives up what stands here.'),
    h('div.row.end', null,
      h('button', { type: 'button', onclick: () => close() }, 'Not now'),
      h('button', { type: 'button', onclick: () => close('mine') }, 'Keep mine'),
      h('button', { type: 'button', autofocus: true, onclick: () => close('theirs') }, 'Load theirs'))));
}

const words = ({ title, body }) => [h('strong', null, title), h('br'), h('span.soft', null, body)];

function noDraftAnyMore({ uuid, status }) {
  return modal('This draft was changed elsewhere', (close) => h('div.stack.elsewhere', null,
    h('p', null, `It is not a draft any more (${STATUS[status]?.name ?? status}): what stands here cannot be saved in it or launched.`),
    h('div.row.end', null,
      h('button', { type: 'button', autofocus: true, onclick: () => close() }, 'Stay here'),
      h('a.button', { href: to(`/campaigns/${uuid}`), target: '_blank' }, 'Show the campaign'))));
}
