// A text field that suggests while one types: `h('combo-box', { … })`. Any text may be entered; suggestions
// help. Its properties: `label`, `value`, `shown` (what stands there while nobody types), `placeholder`,
// `suggest(text, signal)` (a promise of `[{ value, text, detail }]`), `onvalue(value)` at every change, or
// with `onpick(value)` a field that is emptied by Enter and by a choice; `onback()` for Backspace in an
// empty field; `problem` marks it, `described` names what describes it. Where only what is suggested makes
// sense (`closed`), Enter and Tab take the one that the text must mean. With `onchoice(value)` nothing else can be
// entered, and `value` is the `text` of what is chosen: what is typed only searches, and an emptied field is no
// choice (''). `onleft()` is told when it is left.

import { h } from '../lib/dom.js';
import { latest } from '../lib/later.js';
import { others, taken } from '../lib/suggestions.js';
import { besides } from './popup.js';

const QUIET_MS = 120;
let boxes = 0;

class ComboBox extends HTMLElement {
  drawsItself = true;
  suggest = null;
  onvalue = null;
  onpick = null;
  onchoice = null;
  onback = null;
  onleft = null;
  closed = false;
  #value = '';
  // What the page last said of it: while somebody types, the field says what is typed.
  #given = '';
  #shown = null;
  // What was answered last, and to which text; of that, what is shown.
  #answer = { text: null, options: [] };
  #options = [];
  // Whether somebody has typed since the field was entered: what is only passed by is taken for nothing else.
  #touched = false;
  #active = -1;
  #id = `combo-${++boxes}`;
  #ask = latest(QUIET_MS, (signal, text) => this.#suggestions(signal, text));
  #says = {};
  // Made when it comes to stand on the page: a drawing makes many that are only compared with.
  #input = null;
  #list = null;
  #place = null;

  connectedCallback() {
    if (this.#input) return;
    this.#input = h('input', {
      type: 'text', role: 'combobox', autocomplete: 'off', spellcheck: false,
      'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': this.#id,
      onfocus: () => this.#entered(),
      onblur: () => this.#left(),
      oninput: () => this.#typed(),
      onkeydown: (event) => this.#pressed(event),
      onpaste: (event) => this.#pasted(event),
    });
    this.#list = h('ul.choices', { id: this.#id, role: 'listbox', popover: 'manual' });
    this.#place = besides(this.#input, this.#list);
    this.append(this.#input, this.#list);
    this.#say(this.#says);
    this.#list.setAttribute('aria-label', this.#says['aria-label'] ?? '');
    this.#show();
  }

  disconnectedCallback() {
    this.#ask.stop();
    this.#place.stop();
  }

  get value() {
    return this.#given;
  }

  set value(value) {
    this.#given = String(value ?? '');
    if (this.#isTyping) return;
    this.#value = this.#given;
    this.#show();
  }

  get #isTyping() {
    return Boolean(this.#input) && document.activeElement === this.#input;
  }

  set shown(text) {
    this.#shown = text || null;
    this.#show();
  }

  set label(text) {
    this.#say({ 'aria-label': text });
    this.#list?.setAttribute('aria-label', text);
  }

  set placeholder(text) {
    this.#say({ placeholder: text || null });
  }

  set problem(is) {
    this.#say({ 'aria-invalid': is ? 'true' : null });
  }

  set described(id) {
    this.#say({ 'aria-describedby': id || null });
  }

  set mode(mode) {
    this.#say({ inputmode: mode || null });
  }

  focus() {
    this.#input?.focus();
  }

  /** Attributes of the field, null for none. */
  #say(attributes) {
    Object.assign(this.#says, attributes);
    if (!this.#input) return;
    for (const [name, text] of Object.entries(attributes)) {
      if (text === null) this.#input.removeAttribute(name);
      else if (this.#input.getAttribute(name) !== text) this.#input.setAttribute(name, text);
    }
  }

  #show() {
    if (!this.#input) return;
    const text = this.#isTyping ? this.#value : (this.#shown ?? this.#value);
    if (this.#input.value !== text) this.#input.value = text;
  }

  #entered() {
    this.#touched = false;
    this.#show();
    this.#input.select();
    this.#ask('');
  }

  #left() {
    this.#close();
    if (this.onpick && this.#value.trim()) this.#pick(this.#chosen());
    else if (this.onchoice && this.#isEmptied) this.#pick('');
    // As the page has it: typed numbers, say, are spelled as they were read.
    else if (!this.onpick) this.#value = this.#given;
    this.#show();
    this.onleft?.();
  }

  #typed() {
    this.#touched = true;
    this.#value = this.#input.value;
    this.onvalue?.(this.#value);
    // What does not fit any more goes at once: whoever types fast must not choose from the list of before.
    const begun = this.#value.toLowerCase();
    this.#open(this.#options.filter(({ text, value }) => [text, value].some((name) => String(name ?? '').toLowerCase().includes(begun))));
    this.#ask(this.#value);
  }

  async #suggestions(signal, text) {
    const options = await this.#asked(text, signal);
    if (!signal.aborted && this.#isTyping) this.#open(others(options, this.#value));
  }

  async #asked(text, signal) {
    const options = (await Promise.resolve(this.suggest?.(text, signal)).catch(() => [])) ?? [];
    if (!signal.aborted) this.#answer = { text, options };
    return options;
  }

  #open(options) {
    this.#options = options;
    this.#active = -1;
    this.#list.replaceChildren(...options.map((option, index) => this.#option(option, index)));
    if (options.length) this.#place.open();
    else this.#place.close();
    this.#mark();
  }

  #option({ text, value, detail }, index) {
    const choose = (event) => {
      // Keeps the focus where it is.
      event.preventDefault();
      this.#pick(value);
    };
    return h('li', { id: `${this.#id}-${index}`, role: 'option', onmousedown: choose },
      h('span.cut', null, text ?? value), detail && h('small.soft', null, detail));
  }

  #close() {
    this.#ask.stop();
    this.#options = [];
    this.#active = -1;
    this.#place.close();
    this.#mark();
  }

  #mark() {
    this.#input.setAttribute('aria-expanded', String(this.#options.length > 0));
    for (const [index, option] of [...this.#list.children].entries()) {
      option.setAttribute('aria-selected', String(index === this.#active));
    }
    const active = this.#list.children[this.#active];
    active?.scrollIntoView({ block: 'nearest' });
    if (active) this.#input.setAttribute('aria-activedescendant', active.id);
    else this.#input.removeAttribute('aria-activedescendant');
  }

  #pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const open = this.#options.length > 0;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (!open) return this.#ask(this.#value);
      const places = this.#options.length + 1;
      this.#active = ((this.#active + 1 + (event.key === 'ArrowDown' ? 1 : -1) + places) % places) - 1;
      this.#mark();
    } else if (event.key === 'Enter') {
      const chosen = this.#options[this.#active]?.value ?? (this.onpick ? this.#chosen() : null);
      if (chosen === null && this.onchoice && this.#isEmptied) return this.#pick('');
      if (chosen === null && this.closed) event.preventDefault();
      if (chosen === null || chosen === '') return this.#complete(true);
      event.preventDefault();
      this.#pick(chosen);
    } else if (event.key === 'Tab') {
      const marked = this.#options[this.#active];
      if (this.closed && marked) this.#pick(marked.value);
      else if (!event.shiftKey) this.#complete(open);
    } else if (event.key === 'Escape' && open) {
      event.preventDefault();
      event.stopPropagation();
      this.#close();
    } else if (event.key === 'Backspace' && !this.#input.value) {
      this.onback?.();
    }
  }

  /** What the typed text is picked as. */
  #chosen() {
    const text = this.#value.trim();
    return (this.closed ? taken(this.#answer.options, text, false) : null) ?? text;
  }

  /** Takes what the text must mean; with `sole`, the only suggestion too. */
  async #complete(sole) {
    const text = this.#value;
    if (!this.closed || !this.#touched || this.onpick || !text.trim()) return;
    this.#ask.stop();
    const options = this.#answer.text === text ? this.#answer.options : await this.#asked(text, new AbortController().signal);
    const value = this.#value === text ? taken(options, text, sole) : null;
    if (value !== null) return this.#pick(value);
    this.#close();
    // It was told before anything was known of it.
    if (options.some((option) => option.value === text)) this.onvalue?.(text);
  }

  /** Whether somebody took away what stood there. */
  get #isEmptied() {
    return this.#touched && this.#given !== '' && !this.#value.trim();
  }

  #pick(value) {
    this.#close();
    this.#value = this.onpick ? '' : this.onchoice ? this.#textOf(value) : String(value);
    this.#given = this.#value;
    this.#show();
    const tell = this.onpick ?? this.onchoice ?? this.onvalue;
    tell?.(value);
  }

  /** How what is suggested as a value is called. */
  #textOf(value) {
    return this.#answer.options.find((option) => option.value === value)?.text ?? '';
  }

  /** Several values at once, from a column of a table or a list with commas. */
  #pasted(event) {
    const text = event.clipboardData?.getData('text') ?? '';
    const several = text.split(/[\n\t,;]+/).map((each) => each.trim()).filter(Boolean);
    if (!this.onpick || several.length < 2) return;
    event.preventDefault();
    for (const each of several) this.onpick(each);
  }
}

customElements.define('combo-box', ComboBox);
