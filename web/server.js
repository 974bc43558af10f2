// Whether the server is ready, and what its index holds.

import { ApiError, readIndex, readiness } from './api.js';
import { goToOnlyIndex, offerIndexes } from './indexes.js';
import { element } from './dom.js';
import { saying } from './explain.js';
import { status } from './header.js';
import { keyTyped } from './key.js';
import { showProblem } from './problem.js';
import { words } from './words.js';

/** @import { IndexReply } from './types.js' */

const POLL_MS = 1000;

/** @type {IndexReply | null} */
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
  asking ??= ask(firstAfterMs).finally(() => {
    asking = null;
  });
  return asking;
}

/** @param {number} firstAfterMs */
async function ask(firstAfterMs) {
  for (let wait = firstAfterMs; ; ) {
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    wait = POLL_MS;
    const state = await readiness();
    if (state === 'ready') {
      try {
        index = await readIndex();
        showIndex(index);
        void offerIndexes();
        return;
      } catch (error) {
        if (error instanceof ApiError && error.problem.status === 401) {
          showWaiting('closed');
          const typed = keyTyped();
          showProblem(error.problem, [], () => {});
          await typed;
          wait = 0;
        } else if (error instanceof ApiError && error.problem.status === 403 && (await goToOnlyIndex())) {
          await new Promise(() => {}); // the page is left: nothing of it goes on
        } else {
          showWaiting('lost');
        }
      }
    } else {
      showWaiting(state);
    }
  }
}

/** @param {'loading' | 'lost' | 'closed'} state */
function showWaiting(state) {
  index = null;
  const said = { loading: words.statusLoading, lost: words.statusLost, closed: words.statusClosed }[state];
  // The same words again would be spoken again.
  if (status.textContent !== said) status.replaceChildren(element('p', { class: state }, said));
}

/** @param {IndexReply} info */
function showIndex(info) {
  const { count, photos } = info.skipped;
  const facts = [
    [words.placesInIndex, words.number(info.places)],
    [words.withPosition, words.number(info.positions)],
    [words.modelName, info.model],
    [words.descriptorLength, words.dims(info.dims)],
    [words.built, words.date(info.created)],
    [words.skippedPhotos, words.number(count)],
  ];
  const panel = element(
    'div',
    // What scrolls must be reachable without a mouse.
    { class: 'panel', tabindex: 0, role: 'group', 'aria-label': words.index },
    element('dl', {}, ...facts.flatMap(([name = '', fact = '']) => [element('dt', {}, name), element('dd', {}, fact)])),
    ...(count ? [element('h3', {}, words.skippedWhy)] : []),
    element(
      'ul',
      {},
      ...photos.map(({ name, reason, code }) => element('li', {}, element('strong', {}, name), ' ', saying('span', reason, code))),
      count > photos.length ? element('li', {}, words.skippedMore(count - photos.length)) : null,
    ),
  );
  const more = element(
    'details',
    {},
    element(
      'summary',
      {},
      words.places(info.places),
      element('span', { class: 'model' }, `${count ? `, ${words.skipped(count)}` : ''}, ${words.model(info.model)}`),
    ),
    panel,
  );
  closesLikeAMenu(more);
  status.replaceChildren(more);
  const dims = document.getElementById('dims');
  if (dims) dims.textContent = words.dims(info.dims);
}

/** @param {HTMLDetailsElement} details lies over the page when open */
function closesLikeAMenu(details) {
  details.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    details.open = false;
    details.querySelector('summary')?.focus();
  });
  document.addEventListener('click', ({ target }) => {
    if (target instanceof Node && !details.contains(target)) details.open = false;
  });
}
