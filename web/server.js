// The server's state and its index, which the head of the page shows.

import { ApiError, readIndex, readiness } from './api.js';
import { goToOnlyIndex, offerIndexes } from './indexes.js';
import { element } from './dom.js';
import { sentenceElement } from './problem-text.js';
import { status } from './header.js';
import { keyTyped } from './key.js';
import { showProblem } from './problem.js';
import { words } from './words.js';

/** @import { IndexReply } from './types.js' */

const POLL_MS = 1000;

/** @type {IndexReply | null} */
let index = null;

/** @type {Promise<void> | null} */
let polling = null;

/** The index as the server described it; null while the server is not ready. */
export const currentIndex = () => index;

/**
 * Poll until the server is ready and has described its index. All callers share one poll.
 * @param {number} [firstAfterMs] milliseconds before the first request
 * @returns {Promise<void>}
 */
export function serverReady(firstAfterMs = 0) {
  polling ??= poll(firstAfterMs).finally(() => {
    polling = null;
  });
  return polling;
}

/** @param {number} firstAfterMs */
async function poll(firstAfterMs) {
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
          await new Promise(() => {}); // the browser is leaving the page
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
  const sentence = { loading: words.statusLoading, lost: words.statusLost, closed: words.statusClosed }[state];
  // Screen readers would read the same sentence again.
  if (status.textContent !== sentence) status.replaceChildren(element('p', { class: state }, sentence));
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
    // A panel that scrolls must be reachable by keyboard.
    { class: 'panel', tabindex: 0, role: 'group', 'aria-label': words.index },
    element('dl', {}, ...facts.flatMap(([name = '', fact = '']) => [element('dt', {}, name), element('dd', {}, fact)])),
    ...(count ? [element('h3', {}, words.skippedWhy)] : []),
    element(
      'ul',
      {},
      ...photos.map(({ name, reason, code }) => element('li', {}, element('strong', {}, name), ' ', sentenceElement('span', reason, code))),
      count > photos.length ? element('li', {}, words.skippedMore(count - photos.length)) : null,
    ),
  );
  const details = element(
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
  closeLikeMenu(details);
  status.replaceChildren(details);
  const dims = document.getElementById('dims');
  if (dims) dims.textContent = words.dims(info.dims);
}

/** Close a panel on Escape, or on a click elsewhere. @param {HTMLDetailsElement} details */
function closeLikeMenu(details) {
  details.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    details.open = false;
    details.querySelector('summary')?.focus();
  });
  document.addEventListener('click', ({ target }) => {
    if (target instanceof Node && !details.contains(target)) details.open = false;
  });
}
