// What to do first, while an app has no devices or never wrote a campaign.

import { drawn, h } from '../lib/dom.js';
import { envelope, post } from '../lib/api.js';
import { count } from '../lib/format.js';
import { to } from '../lib/router.js';
import { snippet } from './pieces.js';
import { failed } from './toast.js';

const ASK_AGAIN_MS = 4000;

/** Shows itself only where it is needed; asks again while it waits for the first device. */
export function firstSteps({ session, feed, can, changed }) {
  const state = { devices: null, campaigns: null };
  let timer = null;
  let closed = false;

  const ask = async () => {
    try {
      const [counted, listed] = await Promise.all([post('/devices/-/:count', {}), envelope('GET', '/notifications?size=1')]);
      Object.assign(state, { devices: counted.total, campaigns: listed.total });
    } catch (error) {
      // An overview without its first steps is still one.
      if (state.devices !== null) failed(error);
    }
    if (closed) return;
    view.draw();
    changed();
    if (state.devices === 0) timer = setTimeout(ask, ASK_AGAIN_MS);
  };

  const view = drawn(() => {
    const needed = state.devices === 0 || state.campaigns === 0;
    if (!needed) return h('div', { hidden: true });
    const providers = Object.keys(feed.status?.providers ?? {}).length;
    return h('section.card.first', { 'aria-labelledby': 'first' },
      h('header', null, h('h2', { id: 'first' }, state.devices ? 'One more step' : 'Three steps to the first push')),
      h('ol.steps', null,
        step(providers > 0, 'Give the app its credentials', providers > 0
          ? 'It can push.'
          : [h('p', null, 'A key from Apple, a service account from Firebase, or both.'), can('admin') && h('a.button.compact', { href: to('/apps') }, 'Add credentials')]),
        step(state.devices > 0, 'Register a device', state.devices
          ? `${count(state.devices, 'device')} registered.`
          : [h('p', null, 'Your app does this at every start. By hand:'), example(session), h('p.soft', { role: 'status' }, 'Waiting for the first device …')]),
        step(state.campaigns > 0, 'Write a campaign', state.campaigns ? `${count(state.campaigns, 'campaign')} written.` : can('send')
          ? [h('p', null, 'Say what, choose whom, and launch it.'), h('a.button.compact', { href: to('/campaigns/new'), class: state.devices ? 'primary' : null }, 'New campaign')]
          : 'Your key may look, not launch.')));
  });
  ask();
  return {
    element: view.element,
    draw: view.draw,
    /** Whether there is nothing yet that could be looked at. */
    areFirst: () => state.devices === 0 && !state.campaigns,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

const step = (done, title, text) =>
  h('li', { class: done ? 'done' : null }, h('h3', null, title, done && h('span.unseen', null, ' (done)')), done ? h('p.soft', null, [text].flat()[0]) : text);

function example(session) {
  const key = session.open ? '' : " \\\n  -H 'Authorization: Bearer SECRET'";
  const device = `{"external_id": "alice-phone", "push_token": "TOKEN", "send_platform": "FCM", "device_platform": "ANDROID"}`;
  const text = `curl -X PUT ${location.origin}/devices${key} \\\n  -H 'Content-Type: application/json' \\\n  -d '${device}'`;
  return snippet('A call that registers a device', text);
}
