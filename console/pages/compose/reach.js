// Whom the audience reaches: the live count, a sample of devices, and why one of them matches or not.

import { get, path, post } from '../../lib/api.js';
import { conditionsOf, toJson, walked } from '../../lib/audience/model.js';
import { problemOf } from '../../lib/audience/operators.js';
import { latest } from '../../lib/later.js';
import { unsendable } from '../../lib/names.js';

const QUIET_MS = 250;
const SAMPLE = 8;

export class Reach {
  /** As `POST /devices/-/:count` answers; null before the first. */
  count = null;
  sample = [];
  /** Whether what is shown is of an audience before this one. */
  stale = true;
  problem = null;
  /** The device that is asked about, as it was typed too, and `{ matches, clause, unsendable }` or a problem. */
  device = '';
  typed = '';
  reason = null;
  reasonProblem = null;
  #ask = latest(QUIET_MS, (signal) => this.#measure(signal));
  #askWhy = latest(QUIET_MS, (signal) => this.#explain(signal));

  constructor(draft) {
    this.draft = draft;
    draft.watch(['audience'], () => this.#changed());
    this.#changed();
  }

  #changed() {
    const { audience } = this.draft.form;
    const asked = JSON.stringify(toJson(audience));
    if (asked === this.asked) return;
    this.asked = asked;
    this.stale = true;
    this.reason = null;
    if (conditionsOf(audience).some(problemOf) || this.draft.misread) {
      this.#ask.stop();
      this.#askWhy.stop();
      return;
    }
    this.#ask();
    if (this.device) this.#askWhy();
  }

  /** Counts again, now; for the last look before a launch. Throws a Refusal. */
  async counted() {
    this.count = await post('/devices/-/:count', { conditions: toJson(this.draft.form.audience) });
    this.#tell();
    return this.count;
  }

  async #measure(signal) {
    const conditions = toJson(this.draft.form.audience);
    try {
      const [count, sample] = await Promise.all([
        post('/devices/-/:count', { conditions }, { signal }),
        post('/devices/-/:search', { conditions, size: SAMPLE }, { signal }),
      ]);
      Object.assign(this, { count, sample, stale: false, problem: null });
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.problem = this.draft.refused(error) ? null : error.message;
      // The same audience is asked about again when somebody comes back to it.
      this.asked = null;
    }
    this.#tell();
  }

  /** Counts after a failure. */
  again() {
    this.problem = null;
    this.#ask();
    this.#tell();
  }

  /** Asks about a device; an empty name asks no more. */
  about(device) {
    Object.assign(this, { typed: device, device: device.trim(), reason: null, reasonProblem: null });
    this.#askWhy.stop();
    if (this.device && !conditionsOf(this.draft.form.audience).some(problemOf)) this.#askWhy();
    this.#tell();
  }

  async #explain(signal) {
    try {
      const asked = { external_id: this.device, conditions: toJson(this.draft.form.audience) };
      const [said, device] = await Promise.all([
        post('/audience/:explain', asked, { signal }),
        get(path`/devices/${this.device}`, { signal }).catch(() => null),
      ]);
      const reason = { ...said, unsendable: device && unsendable(device) };
      Object.assign(this, { reason, reasonProblem: null });
    } catch (error) {
      if (error.name === 'AbortError') return;
      const unknown = error.status === 404 ? 'There is no device of this id.' : error.message;
      Object.assign(this, { reason: null, reasonProblem: unknown });
    }
    this.#tell();
  }

  /** From a node's id to what the device has there; null while no device is asked about. */
  get reasons() {
    if (!this.reason?.clause) return null;
    const byPath = new Map();
    collect(this.reason.clause, byPath);
    const reasons = new Map();
    for (const { node, path } of walked(this.draft.form.audience)) {
      const said = byPath.get(path);
      if (said) reasons.set(node.id, { matches: said.matches, actual: said.actual, more: said.actual_more, leaf: !said.conditions });
    }
    return reasons;
  }

  #tell() {
    this.draft.tell('reach', 'state');
  }

  stop() {
    this.#ask.stop();
    this.#askWhy.stop();
  }
}

function collect(said, byPath) {
  byPath.set(said.path, said);
  for (const child of said.conditions ?? []) collect(child, byPath);
}
