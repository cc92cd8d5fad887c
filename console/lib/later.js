// Work that waits until nobody types any more, and of which only the newest counts.

/**
 * `ask(…)` runs `work(signal, …)` after `wait` milliseconds of quiet; an earlier run that still goes on is
 * given up through its signal. `ask.stop()` gives up the one that waits or runs.
 */
export function latest(wait, work) {
  let timer = null;
  let running = null;
  const stop = () => {
    clearTimeout(timer);
    running?.abort();
    running = null;
  };
  const ask = (...given) => {
    stop();
    timer = setTimeout(() => {
      running = new AbortController();
      work(running.signal, ...given);
    }, wait);
  };
  ask.stop = stop;
  return ask;
}
