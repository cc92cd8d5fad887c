// The last two minutes of the feed's rates: what the server remembers of them at first, then what it tells
// while the console is open, whichever page is shown.

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
  #stop;
  #filled = null;
  #listeners = new Set();

  constructor(feed) {
    this.#feed = feed;
    // By our own clock: the feed says nothing while nothing changes.
    this.#timer = setInterval(() => this.#sample(), STEP_MS);
    // What the server remembers is there to be shown as soon as it is told.
    this.#stop = feed.watch(({ before }) => before && before !== this.#filled && this.#sample());
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
    this.#stop();
    this.#listeners.clear();
  }

  #sample() {
    const feed = this.#feed;
    const { status, state } = feed;
    if (!status) return;
    const at = Date.now();
    const live = state === 'live';
    this.#fill();
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

  /** Takes in what the server remembers, once for each whole status. */
  #fill() {
    const { before, status } = this.#feed;
    if (!before || before === this.#filled) return;
    this.#filled = before;
    const rates = Object.fromEntries(Object.keys(status.rates ?? {}).map((provider) => [provider, before.rates?.[provider] ?? []]));
    this.rates = filled(this.rates, remembered(before.at, rates, SPAN_MS / 1000));
    for (const [uuid, campaign] of Object.entries(before.campaigns ?? {})) {
      this.campaigns.set(uuid, filled(this.of(uuid), remembered(before.at, { campaign }, campaign.length)));
    }
  }
}

/** Samples of the last `seconds`, from numbers of each second by key; what is missing before the first is 0. */
export function remembered(at, series, seconds) {
  const value = (numbers, ago) => numbers[numbers.length - 1 - ago] ?? 0;
  return Array.from({ length: seconds }, (_, index) => seconds - 1 - index).map((ago) => ({
    at: at - ago * 1000,
    values: Object.fromEntries(Object.entries(series).map(([key, numbers]) => [key, value(numbers, ago)])),
  }));
}

/** The samples, with others where nothing was seen for a second or more. */
export function filled(samples, others) {
  const seen = samples.filter(({ values }) => values);
  const isNew = ({ at }) => !seen.some((sample) => Math.abs(sample.at - at) < 1000);
  return [...seen, ...others.filter(isNew)].sort((one, other) => one.at - other.at);
}

function keep(samples, sample) {
  samples.push(sample);
  const oldest = sample.at - SPAN_MS - 2 * STEP_MS;
  while (samples[0].at < oldest) samples.shift();
}

function perSecond(rates) {
  return Object.fromEntries(Object.entries(rates ?? {}).map(([provider, rate]) => [provider, rate.per_second]));
}
