// A live chart of rates over the last two minutes: lines by name, a reading under the pointer or by the
// arrow keys, and the same as a table.

import { h, svg } from '../lib/dom.js';
import { number, short } from '../lib/format.js';
import { SPAN_MS } from '../lib/history.js';

const HEIGHT = 220;
const EDGE = { left: 46, right: 8, top: 10, bottom: 24 };
/** Samples further apart are not joined. */
const GAP_MS = 2500;
const TABLE_STEP_MS = 10_000;
const KEYS = { ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

/**
 * `label` says what is shown, `name(key)` how a line is called, `read()` gives its samples
 * (`{ at, values: { key: number } | null }`, oldest first). `draw()` shows what is there now.
 */
export function liveChart({ label, name, read }) {
  const state = { width: 600, reading: null };
  const drawing = svg('svg.chart-drawing', { 'aria-hidden': 'true', height: HEIGHT });
  const plot = h('div.chart-plot', { role: 'slider', tabIndex: 0, 'aria-label': `${label}: read a moment`, 'aria-valuemin': -SPAN_MS / 1000, 'aria-valuemax': 0 });
  plot.append(drawing);
  const legend = h('div.chart-legend');
  const tableBody = h('tbody');
  const tableHead = h('tr');
  const table = h('details.chart-table', null, h('summary', null, 'As a table'),
    h('div.scroll', null, h('table', null, h('caption.unseen', null, label), h('thead', null, tableHead), tableBody)));
  const element = h('div.chart', { role: 'group', 'aria-label': label }, legend, plot, table);

  const draw = () => {
    const samples = read();
    const now = samples.at(-1)?.at ?? Date.now();
    const keys = keysOf(samples);
    const top = scaleOf(samples);
    const frame = { now, width: state.width, top: top.max };
    const read_at = state.reading === null ? null : nearest(samples, now - state.reading * 1000);
    drawing.setAttribute('width', state.width);
    drawing.setAttribute('viewBox', `0 0 ${state.width} ${HEIGHT}`);
    drawing.replaceChildren(...grid(frame, top.ticks), ...keys.flatMap((key) => line(samples, key, frame)), ...cursor(read_at, keys, frame));
    drawLegend(legend, keys, name, read_at ?? samples.at(-1), state.reading);
    say(plot, keys, name, read_at ?? samples.at(-1), state.reading);
    if (table.open) drawTable(tableHead, tableBody, samples, keys, name, now);
  };

  const readAt = (seconds) => {
    state.reading = seconds === null ? null : Math.min(Math.max(seconds, 0), SPAN_MS / 1000);
    draw();
  };
  plot.addEventListener('pointermove', (event) => {
    const x = event.clientX - plot.getBoundingClientRect().left - EDGE.left;
    readAt((SPAN_MS / 1000) * (1 - x / (state.width - EDGE.left - EDGE.right)));
  });
  plot.addEventListener('pointerleave', () => readAt(null));
  plot.addEventListener('blur', () => readAt(null));
  plot.addEventListener('keydown', (event) => {
    const to = event.key === 'Home' ? SPAN_MS / 1000 : event.key === 'End' ? 0 : (state.reading ?? 0) + KEYS[event.key];
    if (event.key === 'Escape') return readAt(null);
    if (Number.isNaN(to)) return undefined;
    event.preventDefault();
    return readAt(Math.round(to));
  });
  table.addEventListener('toggle', draw);
  const sized = new ResizeObserver(([entry]) => {
    state.width = Math.max(Math.floor(entry.contentRect.width), 200);
    draw();
  });
  sized.observe(plot);
  return { element, draw, close: () => sized.disconnect() };
}

const keysOf = (samples) => [...new Set(samples.flatMap(({ values }) => Object.keys(values ?? {})))].sort();

/** A round top of the scale, and the lines below it. */
function scaleOf(samples) {
  const highest = Math.max(8, ...samples.flatMap(({ values }) => Object.values(values ?? {})));
  const power = 10 ** Math.floor(Math.log10(highest / 4));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size * 4 >= highest && Number.isInteger(size));
  return { max: step * 4, ticks: [0, 1, 2, 3, 4].map((index) => index * step) };
}

const x = (at, { now, width }) => EDGE.left + (1 - (now - at) / SPAN_MS) * (width - EDGE.left - EDGE.right);
const y = (value, { top }) => EDGE.top + (1 - value / top) * (HEIGHT - EDGE.top - EDGE.bottom);

function grid(frame, ticks) {
  const rows = ticks.flatMap((tick) => [
    svg('line.chart-grid', { x1: EDGE.left, x2: frame.width - EDGE.right, y1: y(tick, frame), y2: y(tick, frame) }),
    svg('text.chart-label', { x: EDGE.left - 8, y: y(tick, frame) + 4, 'text-anchor': 'end' }, short(tick)),
  ]);
  const marks = frame.width < 420 ? [120, 60, 0] : [120, 90, 60, 30, 0];
  const columns = marks.map((seconds, index) => svg('text.chart-label', {
    x: x(frame.now - seconds * 1000, frame),
    y: HEIGHT - 6,
    'text-anchor': index === 0 ? 'start' : index === marks.length - 1 ? 'end' : 'middle',
  }, seconds === 0 ? 'now' : seconds === 120 ? '2 min ago' : `${seconds} s`));
  return [...rows, ...columns];
}

/** One line with the ground below it, cut where the connection was. */
function line(samples, key, frame) {
  const runs = [];
  let run = null;
  let before = 0;
  for (const { at, values } of samples) {
    if (at - before > GAP_MS) run = null;
    before = at;
    const value = values?.[key];
    if (value === undefined || x(at, frame) < EDGE.left) {
      run = null;
    } else {
      if (!run) runs.push((run = []));
      run.push(`${x(at, frame).toFixed(1)},${y(value, frame).toFixed(1)}`);
    }
  }
  const ground = y(0, frame);
  return runs.flatMap((points) => {
    const [first, last] = [points[0].split(',')[0], points.at(-1).split(',')[0]];
    return [
      svg('path.chart-ground', { 'data-line': key, d: `M${first},${ground}L${points.join('L')}L${last},${ground}Z` }),
      svg('path.chart-line', { 'data-line': key, d: `M${points.join('L')}` }),
    ];
  });
}

function cursor(sample, keys, frame) {
  if (!sample) return [];
  const at = x(sample.at, frame);
  const dots = keys.filter((key) => sample.values?.[key] !== undefined);
  return [
    svg('line.chart-cursor', { x1: at, x2: at, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
    ...dots.map((key) => svg('circle.chart-dot', { 'data-line': key, cx: at, cy: y(sample.values[key], frame), r: 4 })),
  ];
}

function nearest(samples, at) {
  let best = null;
  for (const sample of samples) if (!best || Math.abs(sample.at - at) < Math.abs(best.at - at)) best = sample;
  return best && Math.abs(best.at - at) < 2000 ? best : { at, values: null };
}

const when = (reading) => (reading ? `${Math.round(reading)} s ago` : 'now');
const valueOf = (sample, key) => (sample?.values?.[key] === undefined ? '–' : number(sample.values[key]));

function drawLegend(legend, keys, name, sample, reading) {
  legend.replaceChildren(
    ...keys.map((key) => h('span.chart-key', { dataset: { line: key } }, name(key), h('strong.number', null, valueOf(sample, key)))),
    h('span.soft.chart-when', null, when(reading)),
  );
}

function say(plot, keys, name, sample, reading) {
  const text = keys.map((key) => `${name(key)} ${valueOf(sample, key)} a second`).join(', ') || 'Nothing yet';
  plot.setAttribute('aria-valuenow', reading === null ? 0 : -Math.round(reading));
  plot.setAttribute('aria-valuetext', `${when(reading)}: ${text}`);
}

function drawTable(head, body, samples, keys, name, now) {
  head.replaceChildren(h('th', { scope: 'col' }, 'When'), ...keys.map((key) => h('th.end', { scope: 'col' }, `${name(key)} a second`)));
  const rows = [];
  for (let ago = 0; ago <= SPAN_MS; ago += TABLE_STEP_MS) {
    const sample = nearest(samples, now - ago);
    rows.push(h('tr', null, h('td', null, when(ago / 1000)), keys.map((key) => h('td.end', null, valueOf(sample, key)))));
  }
  body.replaceChildren(...rows);
}
