// The tags of a device.

import { get, query } from '../../lib/api.js';
import { h } from '../../lib/dom.js';
import { failed } from '../../parts/toast.js';

/** The card of tags. */
export function tags(site) {
  const own = { text: '', known: [], asked: false, last: Promise.resolve() };
  /** One after the other: each is an edit of what the one before has left. */
  const change = (edit) => (own.last = own.last.then(async () => {
    try {
      await site.change({ tags: edit(site.state.device.tags) });
    } catch (error) {
      failed(error);
    }
    site.draw();
  }));
  const suggest = async () => {
    if (own.asked) return;
    own.asked = true;
    own.known = await get(`/audience/values${query({ key: '@tag', limit: 100 })}`, { signal: site.signal }).catch(() => []);
    site.draw();
  };
  const add = (event) => {
    event.preventDefault();
    const tag = own.text.trim();
    if (!tag) return;
    // At once: what is typed while it is saved is the next one.
    own.text = '';
    site.draw();
    change((all) => [...new Set([...all, tag])]);
  };
  const chip = (tag) =>
    h('li.chip', { key: tag }, h('span', { dir: 'auto' }, tag),
      site.mayChange && h('button.chip-remove', { type: 'button', 'aria-label': `Remove the tag ${tag}`, onclick: () => change((all) => all.filter((other) => other !== tag)) }, '×'));
  return {
    draw() {
      const all = site.state.device.tags;
      return h('section.card', { 'aria-labelledby': 'tags' },
        h('h2', { id: 'tags' }, 'Tags'),
        all.length ? h('ul.row.tight', null, all.map(chip)) : h('p.soft', null, 'None'),
        site.mayChange && h('form.row.nowrap-row', { onsubmit: add },
          h('input.grow', {
            type: 'text', value: own.text, 'aria-label': 'Another tag', placeholder: 'Another tag', list: 'known-tags', autocomplete: 'off',
            onfocus: suggest, oninput: ({ target }) => (own.text = target.value),
          }),
          h('button', { type: 'submit' }, 'Add'),
          h('datalist', { id: 'known-tags' }, own.known.filter(({ value }) => !all.includes(value)).map(({ value }) => h('option', { value })))));
    },
  };
}
