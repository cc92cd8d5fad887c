// The last two minutes of the feed's rates, kept while the console is open, whichever page is shown.

/** How far back the history reaches. */
export const SPAN_MS = 120_000;
const STEP_MS = 250;

/**
 * Samples of a feed's rates: by provider in `rates`, by campaign in `campaigns`. A sample is
 * `{ at, values }`; its values are null while the connection is lost.
 */
export class History {
  rates = [];
  campaigns = new Map();
  #feed;
  #timer;
  #listeners = new Set();

  constructor(feed) {
    this.#feed = feed;
    // By our own clock: the feed says nothing while nothing changes.
    this.#timer = setInterval(() => this.#sample(), STEP_MS);
  }

  /** Calls `listener` after every sample; answers how to stop that. */
  watch(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The samples of one campaign. */
  of(uuid) {
    return this.campaigns.get(uuid) ?? [];
  }

  close() {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  #sample() {
    const feed = this.#feed;
    const { status, state } = feed;
    if (!status) return;
    const at = Date.now();
    const live = state === 'live';
    keep(this.rates, { at, values: live ? perSecond(status.rates) : null });
    // Narrowed to one campaign the feed says nothing of the others, which is not that they stand still.
    const told = feed.focused ? [feed.focused] : [...this.campaigns.keys(), ...Object.keys(status.campaigns ?? {})];
    for (const uuid of new Set(told)) {
      const samples = this.campaigns.get(uuid) ?? [];
      const rate = status.campaigns?.[uuid]?.per_second ?? 0;
      keep(samples, { at, values: live ? { campaign: rate } : null });
      this.campaigns.set(uuid, samples);
      // Nothing but zeros, and no longer told of: it is over.
      if (!status.campaigns?.[uuid] && samples.every(({ values }) => !values?.campaign)) this.campaigns.delete(uuid);
    }
    for (const listener of this.#listeners) listener();
  }
}

function keep(samples, sample) {
  samples.push(sample);
  const oldest = sample.at - SPAN_MS - 2 * STEP_MS;
  while (samples[0].at < oldest) samples.shift();
}

function perSecond(rates) {
  return Object.fromEntries(Object.entries(rates ?? {}).map(([provider, rate]) => [provider, rate.per_second]));
}
