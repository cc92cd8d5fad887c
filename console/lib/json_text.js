// JSON as people write it: what it says, where each part of it stands, and what is wrong at which line.
// Numbers that a browser would round are kept as text, which the API takes for the same.

const DEEPEST = 200;
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

/** What does not read, and from where in the text. */
export class Misread extends Error {
  constructor(message, text, at) {
    super(`Line ${lineAt(text, at)}: ${message}`);
    this.at = at;
  }
}

/** The line, from 1, that a place in a text is on. */
export const lineAt = (text, at) => text.slice(0, at).split('\n').length;

/**
 * Reads JSON. `places` maps the path of every part (`root.conditions[0].key`) to where it begins and ends.
 * Throws a {@link Misread}.
 */
export function readJson(text, root) {
  const reader = new Reader(text);
  const value = reader.value(root, 0);
  reader.space();
  if (reader.at < text.length) reader.fail('there is something behind the end');
  return { value, places: reader.places };
}

class Reader {
  at = 0;
  places = new Map();

  constructor(text) {
    this.text = text;
  }

  fail(message, at = this.at) {
    throw new Misread(message, this.text, at);
  }

  /** What the pattern takes at this place, or null. */
  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found && found[0];
  }

  space() {
    this.take(SPACE);
  }

  /** Whether the next sign is this one; then it is taken. */
  sign(wanted) {
    this.space();
    if (this.text[this.at] !== wanted) return false;
    this.at += 1;
    return true;
  }

  value(path, depth) {
    this.space();
    if (depth > DEEPEST) this.fail('is nested too deep');
    const begin = this.at;
    const value = this.unplaced(path, depth);
    this.places.set(path, [begin, this.at]);
    return value;
  }

  unplaced(path, depth) {
    if (this.sign('{')) return this.object(path, depth);
    if (this.sign('[')) return this.list(path, depth);
    const text = this.take(TEXT);
    if (text) return JSON.parse(text);
    const number = this.take(NUMBER);
    if (number) return isExact(number) ? Number(number) : number;
    const word = this.take(WORD);
    if (word) return JSON.parse(word);
    if (this.at >= this.text.length) return this.fail('the text ends here, and something is missing');
    return this.fail(this.text[this.at] === '"' ? 'this text does not end' : 'a value is expected here');
  }

  object(path, depth) {
    const entries = new Map();
    if (this.sign('}')) return {};
    do {
      this.space();
      const begin = this.at;
      const name = this.take(TEXT);
      if (!name) this.fail('a name in double quotes is expected here');
      const key = JSON.parse(name);
      if (entries.has(key)) this.fail(`\`${key}\` is here twice`, begin);
      if (!this.sign(':')) this.fail(`a colon is expected after \`${key}\``);
      entries.set(key, this.value(`${path}.${key}`, depth + 1));
    } while (this.sign(','));
    if (!this.sign('}')) this.fail('a comma or } is expected here');
    return Object.fromEntries(entries);
  }

  list(path, depth) {
    const values = [];
    if (this.sign(']')) return values;
    do values.push(this.value(`${path}[${values.length}]`, depth + 1));
    while (this.sign(','));
    if (!this.sign(']')) this.fail('a comma or ] is expected here');
    return values;
  }
}

/** Whether a browser keeps this number as it is written. */
function isExact(text) {
  const value = Number(text);
  return /^-?\d+$/.test(text) ? Number.isSafeInteger(value) : Number.isFinite(value);
}
