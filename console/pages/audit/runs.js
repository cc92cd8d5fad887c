// The rows of the audit log under their days, and those that say the same again and again as one.

import { day } from '../../lib/format.js';

/** `[[day, rows], …]` in the order of the rows. */
export function byDay(rows) {
  const days = [];
  for (const row of rows) {
    const name = day(row.at);
    if (days.at(-1)?.[0] === name) days.at(-1)[1].push(row);
    else days.push([name, [row]]);
  }
  return days;
}

const REPEATED = ['session.begun', 'session.ended', 'session.refused'];

/** Rows in lists: sign-ins of one person that follow one another are one list, everything else is by itself. */
export function runs(rows) {
  const all = [];
  for (const row of rows) {
    const last = all.at(-1)?.[0];
    if (last && REPEATED.includes(row.action) && row.action === last.action && row.actor.name === last.actor.name && row.app === last.app) all.at(-1).push(row);
    else all.push([row]);
  }
  return all;
}
