// Saving, testing and launching, at the foot of the page.

import { drawn, h } from '../../lib/dom.js';
import { number, time } from '../../lib/format.js';
import { go } from '../../lib/router.js';
import { failed, toast } from '../../parts/toast.js';
import { modal } from '../../parts/dialog.js';
import { carriedOut } from './elsewhere.js';
import { askLaunch } from './launch.js';
import { sendTest } from '../../parts/test_send.js';

/** The foot of the page, which draws itself, and what the keyboard can ask for. */
export function actions(draft, reach) {
  const run = (name, work) => async () => {
    if (draft.busy) return;
    draft.busy = name;
    draft.tell('state');
    try {
      const stands = await carriedOut(draft, work);
      if (stands === 'theirs') await loadTheirs(draft);
    } catch (error) {
      if (!draft.refused(error) || error.status !== 400) failed(error);
      shownProblem();
    } finally {
      draft.busy = null;
      draft.tell('state');
    }
  };
  const save = run('save', async () => {
    if (!complete(draft)) return;
    await draft.save();
    toast('Saved as a draft.');
  });
  const test = run('test', async () => {
    if (!complete(draft)) return;
    const isSaved = await draft.save();
    await sendTest({ uuid: draft.uuid, etag: draft.etag, app: draft.app, sample: async () => reach.sample, note: isSaved && 'Saved as a draft first.', providers: draft.providers });
  });
  const launch = run('launch', async () => {
    if (!complete(draft)) return;
    await launched(draft, reach);
  });
  const view = drawn(() => foot(draft, reach, { save, test, launch }));
  draft.watch(['state'], () => view.draw());
  return { element: view.element, save, launch };
}

/** Gives up what stands here for what is stored. */
async function loadTheirs(draft) {
  draft.discard();
  await go(`/campaigns/${draft.uuid}/edit`, { replace: true });
}

function complete(draft) {
  if (draft.complete()) return true;
  toast('Something is missing or wrong: it is marked on the page.', 'bad');
  shownProblem();
  return false;
}

/** Brings the first thing that is wrong into view. */
function shownProblem() {
  setTimeout(() => {
    const wrong = document.querySelector('.compose [aria-invalid="true"], .compose .problem');
    wrong?.scrollIntoView({ block: 'center', behavior: 'smooth' });
    if (wrong?.matches('[aria-invalid]')) wrong.focus({ preventScroll: true });
  });
}

async function launched(draft, reach) {
  const { title } = draft.form;
  const later = draft.form.schedule.later;
  // Saved first: what cannot be sent is refused before anybody is asked.
  await draft.save();
  const count = await reach.counted();
  const done = await askLaunch(draft, count);
  if (!done) return;
  toast(later ? `“${title}” is scheduled.` : `“${title}” is launched.`);
  await go(`/campaigns/${draft.uuid}`, { replace: true });
}

function foot(draft, reach, { save, test, launch }) {
  const { busy, dirty } = draft;
  const { later } = draft.form.schedule;
  return h('div.foot-bar', { role: 'region', 'aria-label': 'Save and launch' },
    h('span.soft.small.grow.wide-only', { role: 'status' }, saidState(draft)),
    reach.count && h('span.number.small.foot-count', { class: reach.stale ? 'stale' : null }, h('strong', null, number(reach.count.total)), reach.count.total === 1 ? ' device' : ' devices'),
    h('button', { type: 'button', disabled: Boolean(busy) || !dirty, onclick: save, title: 'Ctrl S' }, busy === 'save' ? 'Saving …' : 'Save draft'),
    h('button', { type: 'button', disabled: Boolean(busy), onclick: test }, 'Send a test'),
    h('button.primary', { type: 'button', disabled: Boolean(busy), onclick: launch, title: 'Ctrl Enter' }, later ? 'Schedule' : 'Launch'));
}

function saidState(draft) {
  if (draft.dirty) return draft.uuid ? 'Changes are not saved.' : 'Not saved yet.';
  if (draft.savedAt) return `Saved at ${time(draft.savedAt)}.`;
  return draft.uuid ? 'A draft.' : '';
}

/** Asks what becomes of what is not saved; answers whether to leave. */
export async function askLeave(draft) {
  if (!draft.dirty) return true;
  const answer = await modal('Leave without saving?', (close) => [
    h('p', null, 'What you wrote here is not saved.'),
    h('div.row.end', null,
      h('button', { type: 'button', autofocus: true, onclick: () => close('stay') }, 'Stay'),
      h('button.danger', { type: 'button', onclick: () => close('discard') }, 'Discard it'),
      h('button.primary', { type: 'button', onclick: () => close('save') }, 'Save draft')),
  ]);
  if (answer === 'discard') {
    draft.discard();
    return true;
  }
  return answer === 'save' && saved(draft);
}

async function saved(draft) {
  if (!complete(draft)) return false;
  try {
    const stands = await carriedOut(draft, () => draft.save());
    if (stands === 'theirs') draft.discard();
    return stands !== null;
  } catch (error) {
    if (!draft.refused(error)) failed(error);
    return false;
  }
}
