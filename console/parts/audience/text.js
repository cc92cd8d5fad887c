// The audience as JSON, to be edited and pasted. Mistakes are told by their line and can be shown there.

import { h } from '../../lib/dom.js';
import { Misread, lineAt, readJson } from '../../lib/json_text.js';
import { Misshapen, ROOT, fromJson } from '../../lib/audience/model.js';

/**
 * What a text says: `{ root }`, or `{ problem: { text, from, to } }`. A whole body, as curl has it, is taken for
 * the conditions in it.
 */
export function readAudience(text) {
  if (!text.trim()) return { root: null, places: new Map() };
  try {
    const { value, places } = readJson(text, ROOT);
    const inner = value?.conditions;
    if (inner && typeof inner === 'object' && !Array.isArray(inner)) return unpacked(inner, places, text);
    return shaped(value, places, text);
  } catch (error) {
    if (error instanceof Misread) return { problem: { text: error.message, from: error.at, to: error.at + 1 } };
    throw error;
  }
}

function unpacked(inner, places, text) {
  const outer = `${ROOT}.conditions`;
  const own = [...places].filter(([path]) => path.startsWith(outer)).map(([path, place]) => [ROOT + path.slice(outer.length), place]);
  return shaped(inner, new Map(own), text);
}

function shaped(value, places, text) {
  try {
    return { root: fromJson(value), places };
  } catch (error) {
    if (error instanceof Misshapen) return { problem: problemAt(error.path, error.message, places, text) };
    throw error;
  }
}

/** A problem at a path, as one of the text: the innermost part of the path that stands in it. */
export function problemAt(path, message, places, text) {
  let at = path;
  while (!places.has(at) && /[.[]/.test(at)) at = at.slice(0, Math.max(at.lastIndexOf('.'), at.lastIndexOf('[')));
  const [from, to] = places.get(at) ?? [0, 0];
  return { text: `Line ${lineAt(text, from)}: ${message}`, from, to };
}

/** Draws the text. `change(text)` hears of every edit; `back` offers the last version that read. */
export function textField({ text, problem, change, back }) {
  const show = (event) => {
    const area = event.target.closest('.audience-text').querySelector('textarea');
    area.focus();
    area.setSelectionRange(problem.from, problem.to);
  };
  return h('div.audience-text', null,
    h('textarea.mono', {
      value: text, spellcheck: false, rows: 14, 'aria-label': 'The audience as JSON', 'aria-invalid': problem ? 'true' : null,
      'aria-describedby': problem ? 'audience-text-problem' : null, dataset: { part: 'text' }, oninput: ({ target }) => change(target.value),
    }),
    problem && h('div.row', null,
      h('p.problem.grow', { id: 'audience-text-problem', role: 'alert' }, problem.text),
      h('button.compact', { type: 'button', onclick: show }, 'Show it'),
      back && h('button.compact.plain', { type: 'button', onclick: back }, 'Undo to the last that read')));
}
