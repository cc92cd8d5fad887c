// Elements without a framework: `h` makes them, `drawn` draws a view again and changes only what differs.
// Text is always text: nothing here reads HTML, so nothing that a person typed can become markup.

const PROPS = Symbol('props');

/**
 * Makes an element. `tag` may carry classes (`div.card.wide`). Of the properties, `class` adds classes,
 * `on…` are listeners, `key` tells siblings apart when a view is drawn again, `dataset` and `aria-…` are
 * what they say; what the element knows as a property is set as one, everything else as an attribute.
 * Children are elements, text, numbers, lists of those; null, undefined and booleans are left out.
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name || 'div');
  const own = { ...(props ?? {}) };
  const all = [...classes, ...[own.class ?? []].flat()].filter(Boolean).join(' ');
  if (all) own.class = all;
  else delete own.class;
  element[PROPS] = own;
  element.append(...nodes(children));
  for (const [key, value] of Object.entries(own)) set(element, key, value);
  return element;
}

/** More properties for an element that `h` made. */
export function also(element, props) {
  Object.assign(element[PROPS], props);
  for (const [key, value] of Object.entries(props)) set(element, key, value);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an SVG element; all of its properties are attributes. */
export function svg(tag, props, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElementNS(SVG, name);
  const own = { ...(props ?? {}) };
  if (classes.length) own.class = classes.join(' ');
  for (const [key, value] of Object.entries(own)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && typeof child !== 'boolean')
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

// Attributes that are not the property of the same name, or must be written as text. (What cannot have the
// focus says that its tabIndex is -1 already, and gets it by the attribute.)
const ATTRIBUTES = new Set(['class', 'for', 'alt', 'role', 'list', 'form', 'colspan', 'href', 'type', 'step', 'min', 'max', 'tabIndex']);

function set(element, key, value) {
  if (key === 'key') return;
  if (key === 'dataset') {
    for (const [name, text] of Object.entries(value)) element.dataset[name] = text;
  } else if (key === 'style') {
    for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
  } else if (key.startsWith('on') || (key in element && !ATTRIBUTES.has(key) && !key.startsWith('aria-'))) {
    // A field that somebody types into keeps its caret when it already says so.
    if (element[key] !== value) element[key] = value ?? (key.startsWith('on') ? null : '');
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(key);
  } else {
    element.setAttribute(key, value === true ? '' : value);
  }
}

function unset(element, key) {
  if (key === 'key') return;
  if (key.startsWith('on')) element[key] = null;
  else if (key === 'dataset' || key === 'style') return;
  else if (typeof element[key] === 'boolean' && !key.startsWith('aria-')) element[key] = false;
  else element.removeAttribute(key === 'className' ? 'class' : key);
}

/**
 * A view that can be drawn again: `const view = drawn(() => h(…))`, then `view.draw()` after its state
 * changed. Draws of one turn are one. `view.element` is what goes into the page.
 */
export function drawn(make) {
  let waiting = false;
  const view = {
    element: make(),
    draw() {
      if (waiting) return;
      waiting = true;
      queueMicrotask(() => {
        waiting = false;
        view.element = morph(view.element, make());
      });
    },
  };
  return view;
}

/** Makes `old` like `fresh`, keeping the elements that fit, and so focus, carets and scroll. */
export function morph(old, fresh) {
  if (old === fresh) return old;
  if (old.nodeType === Node.TEXT_NODE && fresh.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  if (!alike(old, fresh)) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.namespaceURI === SVG) {
    morphAttributes(old, fresh);
    morphChildren(old, fresh);
    return old;
  }
  const [before, after] = [old[PROPS] ?? {}, fresh[PROPS] ?? {}];
  for (const key of Object.keys(before)) if (!(key in after)) unset(old, key);
  // A component that draws itself has no children of ours.
  if (!old.drawsItself) morphChildren(old, fresh);
  // After the children: a select's value needs its options.
  for (const [key, value] of Object.entries(after)) set(old, key, value);
  old[PROPS] = after;
  return old;
}

function alike(old, fresh) {
  const key = (node) => node[PROPS]?.key;
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && key(old) === key(fresh);
}

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) {
    const key = child[PROPS]?.key;
    if (key !== undefined) keyed.set(key, child);
  }
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = wanted[PROPS]?.key;
    const kept = key === undefined ? null : keyed.get(key);
    if (kept && kept !== at) old.insertBefore(kept, at);
    const candidate = kept ?? at;
    const fits = candidate && candidate.parentNode === old && alike(candidate, wanted);
    if (fits) {
      at = candidate.nextSibling;
      morph(candidate, wanted);
    } else {
      old.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
