// A button that opens a menu: `h('action-menu', { label, items: [{ text, keys, act, danger }] })`.

import { h } from '../lib/dom.js';
import { besides } from './popup.js';
import { icon } from './icons.js';

class ActionMenu extends HTMLElement {
  drawsItself = true;
  items = [];
  #label = '';
  // Made when it comes to stand on the page: a drawing makes many that are only compared with.
  #button = null;
  #menu = null;
  #place = null;
  // A click on the button closes the menu by itself, and would open it again.
  #closedAt = -Infinity;

  connectedCallback() {
    if (this.#button) return;
    this.#button = h('button.plain.compact.square', {
      type: 'button', 'aria-haspopup': 'menu', 'aria-expanded': 'false', onclick: () => this.#toggle(),
    }, icon('more'));
    this.#menu = h('div.choices', { role: 'menu', popover: 'auto', ontoggle: (event) => this.#toggled(event), onkeydown: (event) => this.#pressed(event) });
    this.#place = besides(this.#button, this.#menu, { wide: false });
    this.append(this.#button, this.#menu);
    this.label = this.#label;
  }

  disconnectedCallback() {
    this.#place.stop();
  }

  set label(text) {
    this.#label = text;
    if (!this.#button || this.#button.title === text) return;
    this.#button.setAttribute('aria-label', text);
    this.#button.title = text;
  }

  focus() {
    this.#button?.focus();
  }

  #toggle() {
    if (performance.now() - this.#closedAt < 200) return;
    this.#menu.replaceChildren(...this.items.map((item) => this.#item(item)));
    this.#place.open();
    this.#menu.querySelector('button')?.focus();
  }

  #item({ text, keys, act, danger }) {
    const choose = () => {
      this.#place.close();
      act();
    };
    return h('button', { type: 'button', role: 'menuitem', tabIndex: -1, class: danger ? 'danger' : null, onclick: choose },
      h('span', null, text), keys && h('kbd', null, keys));
  }

  #toggled(event) {
    this.#button.setAttribute('aria-expanded', String(event.newState === 'open'));
    if (event.newState !== 'closed') return;
    this.#closedAt = performance.now();
    this.#place.stop();
  }

  #pressed(event) {
    const items = [...this.#menu.children];
    const here = items.indexOf(document.activeElement);
    const next = { ArrowDown: here + 1, ArrowUp: here - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === 'Tab') this.#place.close();
    if (next === undefined) return;
    event.preventDefault();
    items[next % items.length]?.focus();
  }
}

customElements.define('action-menu', ActionMenu);
