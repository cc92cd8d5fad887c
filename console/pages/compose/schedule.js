// When it is sent: at once, or at a time on the clock of any zone.

import { drawn, h } from '../../lib/dom.js';
import { ago } from '../../lib/format.js';
import { isZone, momentAfterGap, momentsOf, offsetName, ownZone, said, wallAt, zones } from '../../lib/zones.js';
import { field } from '../../parts/pieces.js';
import '../../parts/combo_box.js';
import { PASSED, hasPassed, momentOf } from './content.js';

const MOST_ZONES = 60;
const HOUR = 3_600_000;

/** The part of the page; it draws itself. */
export function schedule(draft) {
  const view = drawn(() => card(draft));
  draft.watch(['schedule'], () => view.draw());
  return view.element;
}

function card(draft) {
  const { later } = draft.form.schedule;
  const choose = (isLater) => set(draft, { later: isLater, ...(isLater ? begun(draft) : {}) });
  const choice = (isLater, text) =>
    h('label.check', null, h('input', { type: 'radio', name: 'when', checked: later === isLater, onchange: () => choose(isLater) }), h('span', null, text));
  return h('section.card', { 'aria-label': 'When' },
    h('header', null, h('h2', null, 'When')),
    h('div.row.choice', { role: 'radiogroup', 'aria-label': 'When it is launched' }, choice(false, 'At once'), choice(true, 'At a time')),
    later && atTime(draft));
}

const set = (draft, parts) => draft.change({ schedule: { ...draft.form.schedule, ...parts } }, 'schedule');

/** A schedule begins with the next full hour. */
function begun({ form: { schedule: { wall, zone } } }) {
  return wall ? {} : { wall: wallAt(Math.ceil((Date.now() + HOUR / 6) / HOUR) * HOUR, zone) };
}

function atTime(draft) {
  const { wall, zone } = draft.form.schedule;
  const [date = '', time = ''] = wall.split('T');
  const write = (parts) => {
    const next = { date, time, ...parts };
    set(draft, { wall: next.date || next.time ? `${next.date}T${next.time}` : '', second: false });
  };
  return h('div.stack', null,
    h('div.when-fields', { class: isOver(draft.form.schedule) ? 'over' : null },
      field('Date', (id) => h('input', { id, type: 'date', value: date, oninput: ({ target }) => write({ date: target.value }) }), { id: 'when-date' }),
      field('Time', (id) => h('input', { id, type: 'time', value: time, oninput: ({ target }) => write({ time: target.value }) }), { id: 'when-time' }),
      h('div.field', null,
        h('span.label', null, 'Time zone'),
        h('combo-box', { label: 'Time zone', value: zone, suggest: suggestZones, closed: true, problem: !isZone(zone), onvalue: (value) => set(draft, { zone: value, second: false }) }))),
    told(draft),
    problem(draft));
}

/** What is over is said at once, the rest when it is missed. */
function problem({ form: { schedule: { wall, zone } }, problems }) {
  const text = problems.scheduled_at ?? (isOver({ wall, zone }) ? PASSED : null);
  return text && h('p.problem', { role: 'alert' }, text);
}

const isOver = ({ wall, zone }) => isZone(zone) && hasPassed(momentsOf(wall, zone) ?? []);

async function suggestZones(text) {
  const wanted = text.trim().toLowerCase().replaceAll(' ', '_');
  const own = ownZone();
  const all = [own, ...zones().filter((zone) => zone !== own)];
  const now = Date.now();
  return all.filter((zone) => zone.toLowerCase().includes(wanted)).slice(0, MOST_ZONES)
    .map((zone) => ({ value: zone, detail: offsetName(now, zone) + (zone === own ? ', this browser' : '') }));
}

/** What the fields come to: the moment, in UTC too, and what is odd about it. */
function told(draft) {
  const { wall, zone, second } = draft.form.schedule;
  if (!isZone(zone)) return h('p.soft', null, 'Choose a time zone from the list.');
  const moments = momentsOf(wall, zone);
  if (!moments) return h('p.soft', null, 'Enter a date and a time.');
  if (!moments.length) return leftOut(draft);
  const moment = momentOf(draft.form.schedule);
  return h('div.stack.tight', null,
    moments.length > 1 && twice(draft, moments, second),
    h('p.when-told', { role: 'status' },
      `${said(moment, zone)} (${offsetName(moment, zone)})`, zone !== 'UTC' && ` is ${said(moment, 'UTC')} UTC`, `, ${ago(new Date(moment).toISOString())}.`));
}

/** An hour that does not exist. */
function leftOut(draft) {
  const { wall, zone } = draft.form.schedule;
  const after = wallAt(momentAfterGap(wall, zone), zone);
  return h('div.note.warn.row', { role: 'alert' },
    h('span.grow', null, `In ${zone} the clocks are put forward then: ${wall.slice(11)} does not exist on that day.`),
    h('button.compact', { type: 'button', onclick: () => set(draft, { wall: after, second: false }) }, `Use ${after.slice(11)}`));
}

/** An hour that comes twice. */
function twice(draft, moments, second) {
  const choice = (isSecond, moment, name) =>
    h('label.check', null,
      h('input', { type: 'radio', name: 'which', checked: Boolean(second) === isSecond, onchange: () => set(draft, { second: isSecond }) }),
      h('span', null, `the ${name}, ${offsetName(moment, draft.form.schedule.zone)}`));
  return h('div.note.warn', { role: 'radiogroup', 'aria-label': 'Which of the two' },
    h('div.row', null, h('span', null, 'The clocks are put back then, and this time comes twice:'), choice(false, moments[0], 'first'), choice(true, moments[1], 'second')));
}
