// Whether the server is ready, and what its index holds.

import { readIndex, readiness } from './api.js';
import { element, find } from './dom.js';
import { words } from './words.js';

/** @import { IndexInfo } from './types.js' */

const POLL_MS = 1000;

const status = find('status', HTMLDivElement);

/** @type {IndexInfo | null} */
let index = null;

/** @type {Promise<void> | null} */
let asking = null;

/** What the index holds; null while the server is not ready. */
export const currentIndex = () => index;

/**
 * Ask until the server is ready and its index is known. Many may wait for the same answer.
 * @param {number} [firstAfterMs] ask only after so long: a server that just said no
 * @returns {Promise<void>}
 */
export function serverReady(firstAfterMs = 0) {
  index = null;
  asking ??= ask(firstAfterMs).finally(() => {
    asking = null;
  });
  return asking;
}

/** @param {number} firstAfterMs */
async function ask(firstAfterMs) {
  for (let wait = firstAfterMs; ; wait = POLL_MS) {
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    const state = await readiness();
    if (state === 'ready') {
      try {
        index = await readIndex();
        showIndex(index);
        return;
      } catch {
        showWaiting('lost');
      }
    } else {
      showWaiting(state);
    }
  }
}

/** @param {'loading' | 'lost'} state */
function showWaiting(state) {
  const said = state === 'loading' ? words.statusLoading : words.statusLost;
  // The same words again would be spoken again.
  if (status.textContent !== said) status.replaceChildren(element('p', { class: state }, said));
}

/** @param {IndexInfo} info */
function showIndex(info) {
  status.replaceChildren(
    element(
      'p',
      {},
      element('span', {}, words.places(info.places)),
      element('span', {}, words.model(info.model)),
    ),
    ...(info.skipped.count ? [skippedList(info.skipped)] : []),
  );
  find('dims', HTMLSpanElement).textContent = words.dims(info.dims);
}

/** @param {IndexInfo['skipped']} skipped */
function skippedList({ count, photos }) {
  const list = element(
    'details',
    { class: 'skipped' },
    element('summary', {}, words.skipped(count)),
    element(
      'ul',
      // A list that scrolls must be reachable without a mouse.
      { tabindex: 0 },
      ...photos.map(({ name, reason }) => element('li', {}, element('strong', {}, name), ` ${reason}`)),
      count > photos.length ? element('li', {}, words.skippedMore(count - photos.length)) : null,
    ),
  );
  // It lies over the page, so it closes like a menu.
  list.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    list.open = false;
    list.querySelector('summary')?.focus();
  });
  document.addEventListener('click', ({ target }) => {
    if (target instanceof Node && !list.contains(target)) list.open = false;
  });
  return list;
}
