// A new campaign, or a draft that is edited: what it says, to whom, when; then save, test, launch.

import { envelope, get, path } from '../lib/api.js';
import { drawn, h } from '../lib/dom.js';
import { DRAFT, STATUS } from '../lib/names.js';
import { go, to } from '../lib/router.js';
import { ownZone } from '../lib/zones.js';
import { noApp } from '../parts/no_app.js';
import { empty, loading, pageHead, trouble } from '../parts/pieces.js';
import { actions, askLeave } from './compose/actions.js';
import { audience } from './compose/audience.js';
import { blank, formOf } from './compose/content.js';
import { Draft } from './compose/draft.js';
import { message } from './compose/message.js';
import { PayloadSizes, preview } from './compose/preview.js';
import { Reach } from './compose/reach.js';
import { schedule } from './compose/schedule.js';

/** `/campaigns/new`, `?from=UUID` for one that begins as a copy, and `/campaigns/:uuid/edit`. */
export function page({ params, query, session, feed, can }) {
  const title = params.uuid ? 'Edit a draft' : 'New campaign';
  if (!can('send')) return { title, element: empty('Your key may look at campaigns, but not write them.', h('a.button', { href: to('/campaigns') }, 'To the campaigns')) };
  if (!session.chosen) return { title, element: noApp(session) };
  const element = h('div.compose', null, loading());
  const held = { writing: null, gone: false };
  const show = async () => {
    try {
      const begun = await beginning(params.uuid, query.get('from'), session);
      if (held.gone) return;
      if (begun.status !== undefined) return element.replaceChildren(notEditable(params.uuid, begun.status));
      held.writing = writing(begun, element, title, session, feed);
    } catch (error) {
      element.replaceChildren(trouble(error, show));
    }
  };
  show();
  return {
    title,
    element,
    leave: () => {
      held.gone = true;
      held.writing?.leave();
    },
    mayLeave: async () => !held.writing || askLeave(held.writing.draft),
  };
}

/** What the page begins with: the draft `uuid`, a copy of `from`, or nothing. */
async function beginning(uuid, from, session) {
  const zone = ownZone();
  const place = `fanfare.compose.${session.chosen}.${uuid ?? 'new'}`;
  if (uuid) {
    const { result: stored, etag } = await envelope('GET', path`/notifications/${uuid}`);
    if (stored.status !== DRAFT) return { status: stored.status };
    return { form: formOf(stored, zone), options: { place, stored, etag, zone } };
  }
  if (!from) return { form: blank(zone), options: { place, stored: null, zone } };
  const original = await get(path`/notifications/${from}`);
  return { form: formOf({ ...original, scheduled_at: null }, zone), options: { place: `${place}`, stored: null, zone, copied: true } };
}

const notEditable = (uuid, status) =>
  empty(`This campaign is not a draft any more (${STATUS[status]?.name ?? status}), so it cannot be edited.`,
    h('a.button', { href: to(`/campaigns/${uuid}`) }, 'To the campaign'),
    h('a', { href: to(`/campaigns/new?from=${uuid}`) }, 'Write a new one like it'));

/** Puts the parts of the page together. */
function writing({ form, options }, element, title, session, feed) {
  const draft = new Draft(form, options);
  draft.app = session.chosen;
  draft.providers = () => feed.status?.providers;
  const [sizes, reach] = [new PayloadSizes(draft), new Reach(draft)];
  const foot = actions(draft, reach);
  const view = (topics, make) => {
    const part = drawn(make);
    draft.watch(topics, () => part.draw());
    return part.element;
  };
  element.replaceChildren(
    pageHead(title),
    view(['state'], () => h('div.restored', null, draft.restored && restored(draft))),
    h('div.compose-columns', null,
      h('div.stack', null, view(['message'], () => message(draft)), audience(draft, reach), schedule(draft)),
      h('aside', null, view(['message', 'sizes'], () => preview(draft, sizes, session.chosen)))),
    foot.element);
  element.querySelector('[autofocus]')?.focus();
  const stopListening = listens(draft, foot);
  return {
    draft,
    leave() {
      stopListening();
      sizes.stop();
      reach.stop();
      draft.close();
    },
  };
}

const restored = (draft) =>
  h('div.note.row', { role: 'status' },
    h('span.grow', null, 'This is what you wrote here before and did not save.'),
    h('button.compact', { type: 'button', onclick: () => {
      draft.discard();
      go(location.pathname.replace('/console', ''), { replace: true });
    } }, 'Discard it'));

/** Keys of this page, and the browser's question when the window is closed with something unsaved. */
function listens(draft, foot) {
  const pressed = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector('dialog[open]')) return;
    const work = { s: foot.save, Enter: foot.launch }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  };
  const closing = (event) => {
    draft.keep();
    if (draft.dirty) event.preventDefault();
  };
  addEventListener('keydown', pressed);
  addEventListener('beforeunload', closing);
  return () => {
    removeEventListener('keydown', pressed);
    removeEventListener('beforeunload', closing);
  };
}
