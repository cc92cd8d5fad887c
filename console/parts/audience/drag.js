// Moving clauses with the mouse: a clause is taken by its handle and dropped before, behind or within
// another one. The keyboard does the same by steps.

import { found, isGroup, placed } from '../../lib/audience/model.js';

const MARKS = ['drop-before', 'drop-behind', 'drop-within'];

/** Listeners for the element around the whole tree. `root()` is the tree, `change(root)` takes the next one. */
export function dragging({ root, change }) {
  let taken = null;
  let marked = null;

  const mark = (element, name) => {
    marked?.classList.remove(...MARKS);
    marked = element;
    if (name) element.classList.add(name);
  };

  return {
    ondragstart(event) {
      const clause = event.target.closest?.('.handle')?.closest('[data-node]');
      if (!clause) return;
      taken = Number(clause.dataset.node);
      event.dataTransfer.effectAllowed = 'move';
      event.dataTransfer.setData('text/plain', '');
      event.dataTransfer.setDragImage(clause, 12, 12);
      // After the picture of it was taken.
      setTimeout(() => clause.classList.add('taken'));
    },
    ondragover(event) {
      if (taken === null) return;
      const drop = dropAt(event, root(), taken);
      mark(drop?.element ?? null, drop?.mark);
      if (drop) event.preventDefault();
    },
    ondrop(event) {
      const drop = taken !== null && dropAt(event, root(), taken);
      if (!drop) return;
      event.preventDefault();
      change(placed(root(), taken, drop.parent, drop.index), { id: taken, part: 'handle' });
    },
    ondragend(event) {
      mark(null);
      event.target.closest?.('[data-node]')?.classList.remove('taken');
      taken = null;
    },
  };
}

/** Where a drop at this point would put the clause; null where it cannot go. */
function dropAt(event, root, taken) {
  const element = event.target.closest?.('[data-node]');
  const place = element && found(root, Number(element.dataset.node));
  if (!place || found(found(root, taken).node, place.node.id)) return null;
  if (isGroup(place.node) && (!place.parent || isOverFoot(event, element))) {
    return { element, mark: 'drop-within', parent: place.node.id, index: place.node.children.length };
  }
  if (!place.parent) return null;
  const { top, height } = element.getBoundingClientRect();
  // The head of a group is its upper part.
  const behind = !isGroup(place.node) && event.clientY > top + height / 2;
  return { element, mark: behind ? 'drop-behind' : 'drop-before', parent: place.parent.id, index: place.index + (behind ? 1 : 0) };
}

const isOverFoot = (event, element) => event.clientY > element.querySelector(':scope > .children').getBoundingClientRect().top;
