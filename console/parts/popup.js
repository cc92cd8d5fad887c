// What opens beside an element, before everything else on the page, and stays at its side.

const GAP = 4;
const EDGE = 8;

/** Opens and closes `popup` (an element with the attribute `popover`) beside `anchor`. */
export function besides(anchor, popup, { wide = true } = {}) {
  const follow = () => place(anchor, popup, wide);
  const stop = () => {
    removeEventListener('scroll', follow, true);
    removeEventListener('resize', follow);
  };
  return {
    stop,
    open() {
      if (!popup.matches(':popover-open')) {
        popup.showPopover();
        addEventListener('scroll', follow, true);
        addEventListener('resize', follow);
      }
      follow();
    },
    close() {
      stop();
      if (popup.matches(':popover-open')) popup.hidePopover();
    },
  };
}

function place(anchor, popup, wide) {
  const at = anchor.getBoundingClientRect();
  if (wide) popup.style.minWidth = `${at.width}px`;
  const below = innerHeight - at.bottom - GAP - EDGE;
  const above = at.top - GAP - EDGE;
  const upwards = popup.scrollHeight > below && above > below;
  popup.style.maxHeight = `${Math.min(320, upwards ? above : below)}px`;
  const size = popup.getBoundingClientRect();
  popup.style.top = `${upwards ? at.top - GAP - size.height : at.bottom + GAP}px`;
  const left = wide ? at.left : at.right - size.width;
  popup.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - size.width - EDGE))}px`;
}
