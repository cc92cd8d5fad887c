// JSON whose numbers keep their spelling. To the API 20 is a whole number and 20.0 is not, and whole
// numbers have 64 bits: JavaScript's own numbers would lose both.

/** A number as it is written. */
export class Numeral {
  constructor(text) {
    this.text = text;
  }

  get isWhole() {
    return /^-?\d+$/.test(this.text);
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return MARK + this.text;
  }
}

// Stands in a string before a numeral's spelling on the way through JSON; drawn anew for every visit, so
// that no text of anybody can hold it.
const MARK = `numeral-${crypto.getRandomValues(new Uint32Array(2)).join('-')}:`;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Reads JSON; its numbers are {@link Numeral}s. */
export function readExactly(text) {
  const marked = text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"${MARK}${token}"`));
  return JSON.parse(marked, (_, value) =>
    typeof value === 'string' && value.startsWith(MARK) ? new Numeral(value.slice(MARK.length)) : value);
}

/** Writes JSON; a {@link Numeral} is written as it is spelled. */
export const write = (value) =>
  JSON.stringify(value).replaceAll(new RegExp(`"${MARK}([^"]*)"`, 'g'), '$1');
