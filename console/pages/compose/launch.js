// The last question before a launch: to how many, by whom, when, and what else is to be known.

import { h, drawn } from '../../lib/dom.js';
import { ago, count, duration, number, sum } from '../../lib/format.js';
import { providerName, unreachableName } from '../../lib/names.js';
import { trouble } from '../../lib/outages.js';
import { offsetName, said } from '../../lib/zones.js';
import { audienceInWords } from '../../lib/audience/words.js';
import { modal } from '../../parts/dialog.js';
import { momentOf } from './content.js';

/** Asks, and launches; true once it is launched. A failure is told in the dialog and can be tried again: the
 * launch has one key, so that it happens once. Throws where what the dialog shows is not stored any more. */
export async function askLaunch(draft, counted) {
  const moment = momentOf(draft.form.schedule);
  const title = moment === null ? 'Launch this campaign?' : 'Schedule this campaign?';
  const answer = await modal(isInVain(counted, moment) ? 'Nobody would get this campaign' : title, (close) => {
    const state = { busy: false, problem: null };
    const submit = async (event) => {
      event.preventDefault();
      if (state.busy) return;
      Object.assign(state, { busy: true, problem: null });
      view.draw();
      try {
        await draft.launch();
        close(true);
      } catch (error) {
        if (error.status === 412) return close(error);
        Object.assign(state, { busy: false, problem: error.message });
        view.draw();
      }
    };
    const view = drawn(() => question(draft, counted, moment, state, submit, close));
    return view.element;
  });
  if (answer instanceof Error) throw answer;
  return answer === true;
}

const reachableOf = ({ reachable }) => sum(reachable);

/** Whether a launch would reach nobody; what is for later may find devices then. */
const isInVain = (counted, moment) => moment === null && reachableOf(counted) === 0;

function question(draft, counted, moment, state, submit, close) {
  const reachable = reachableOf(counted);
  const vain = isInVain(counted, moment);
  const sure = moment === null ? `Launch to ${count(reachable, 'device')}` : 'Schedule';
  return h('form.launch', { onsubmit: submit },
    h('p.launch-title', null, h('strong', null, draft.form.title), h('span.soft', null, draft.form.body)),
    h('dl.facts', null,
      h('dt', null, 'To'), h('dd', null, audienceInWords(draft.form.audience)),
      h('dt', null, 'Devices'), h('dd', null, devices(counted, reachable)),
      !vain && [h('dt', null, 'When'), h('dd', null, when(moment, draft.form.schedule.zone))],
      notes(draft.form, reachable)),
    warning(draft.form, counted, reachable, moment),
    moment === null && !draft.form.dry_run && away(draft, counted).map((said) => h('p.note.warn', null, said)),
    state.problem && h('p.note.bad', { role: 'alert' }, state.problem),
    h('div.row.end', null,
      h('button', { type: 'button', disabled: state.busy, autofocus: vain, onclick: () => close() }, vain ? 'Back to it' : 'Cancel'),
      !vain && h('button.primary', { type: 'submit', autofocus: true, disabled: state.busy }, state.busy ? 'One moment …' : state.problem ? 'Try again' : sure)));
}

function devices({ reachable, unreachable }, sum) {
  const by = Object.entries(reachable).filter(([, value]) => value > 0);
  const missed = Object.entries(unreachable).filter(([, value]) => value > 0);
  return [
    h('strong.number', null, number(sum)), ' can be reached',
    by.length > 0 && `: ${by.map(([provider, value]) => `${number(value)} by ${providerName(provider)}`).join(', ')}`, '.',
    missed.length > 0 && h('span.soft', null, ` Not reachable: ${missed.map(([reason, value]) => `${number(value)} ${unreachableName(reason)}`).join(', ')}.`),
  ];
}

function when(moment, zone) {
  if (moment === null) return 'Now. What is sent cannot be taken back; a campaign that runs can be paused.';
  const utc = zone === 'UTC' ? '' : `, which is ${said(moment, 'UTC')} UTC`;
  return `${said(moment, zone)} in ${zone} (${offsetName(moment, zone)})${utc}, ${ago(new Date(moment).toISOString())}. Until then it can be taken back. The devices are chosen when it starts: their number may differ then.`;
}

function notes({ rate_limit, dry_run }, reachable) {
  const rate = Number(rate_limit);
  return [
    rate > 0 && reachable > 0 && [h('dt', null, 'Rate'), h('dd', null, `At most ${number(rate)} a second: ${duration(Math.max(1, reachable / rate))} or more.`)],
    dry_run && [h('dt', null, 'Dry run'), h('dd', null, 'Everything happens but the push itself: no device gets anything.')],
  ];
}

function warning({ audience, dry_run }, { total }, reachable, moment) {
  if (reachable === 0) return h('p.note.warn', null, nobody(total), moment !== null && ' Devices may come until then.');
  if (!audience && !dry_run) return h('p.note.warn', null, 'There are no conditions: it goes to every device of the app.');
  return null;
}

/** What is to be known of the providers that its devices are reached by. */
function away(draft, { reachable }) {
  const own = Object.entries(draft.providers() ?? {}).filter(([provider]) => reachable[provider] > 0);
  return trouble(Object.fromEntries(own));
}

function nobody(total) {
  if (!total) return 'No device matches the audience: nobody would get it now.';
  return `${count(total, 'device')} ${total === 1 ? 'matches' : 'match'} the audience, but none of them can be reached: nobody would get it now.`;
}
