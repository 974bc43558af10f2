// The search page: a photo comes in, the most similar places come back.

import { ApiError, searchPlaces } from './api.js';
import { announce, find } from './dom.js';
import { formatSimilarity } from './format.js';
import { takeIn } from './intake.js';
import {
  announceProgress,
  hideProgress,
  previewAddress,
  showPreview,
  showProgress,
  showQueryFacts,
} from './preview.js';
import { countDown, hideProblem, sayNext, showEmptyIndex, showProblem } from './problem.js';
import { expectResults, focusCard, hideResults, showResults } from './results.js';
import { currentIndex, serverReady } from './server.js';
import { openViewer } from './viewer.js';
import { words } from './words.js';

/** @import { Problem, Reply } from './types.js' */

const BUSY_TRIES = 5;
const BUSY_WAIT_S = 2;
const LONGEST_WAIT_S = 60;

const kChoice = find('k', HTMLSelectElement);

/** @type {File | null} */
let photo = null;
let running = new AbortController();

/** @param {File} chosen */
async function begin(chosen) {
  photo = chosen;
  find('viewer', HTMLDialogElement).close();
  hideResults();
  void search();
  await showPreview(chosen);
  document.body.dataset['view'] = 'query';
  find('choose', HTMLSpanElement).textContent = words.chooseAnother;
  scrollTo({ top: 0 });
}

/** Search with the photo at hand, and go on until there is an answer or a problem that stays. */
async function search() {
  if (!photo) return;
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const searched = photo;
  for (let tries = 1; ; tries++) {
    hideProblem();
    const outcome = await attempt(searched, signal);
    if (signal.aborted) return;
    hideProgress();
    if ('results' in outcome) {
      showReply(outcome);
      return;
    }
    hideResults();
    showProblem(outcome, searched, search);
    if (!(await waitOut(outcome, tries, signal)) || signal.aborted) return;
  }
}

/**
 * @param {File} searched
 * @param {AbortSignal} signal
 * @returns {Promise<Reply | Problem>}
 */
async function attempt(searched, signal) {
  const k = Number(kChoice.value);
  const places = currentIndex()?.places;
  expectResults(k);
  announceProgress(words.uploadingStarted);
  try {
    return await searchPlaces(searched, k, {
      signal,
      onUpload: (share) => showProgress(words.uploading(share), share),
      onUploaded: () => announceProgress(places ? words.searchingIn(places) : words.searching),
    });
  } catch (error) {
    if (error instanceof ApiError) return error.problem;
    if (signal.aborted) return { status: 0, type: '', detail: '', retryAfter: 0, alive: true };
    throw error;
  }
}

/**
 * Wait until the same search may go better; false where that is for the user to say.
 * @param {Problem} problem
 * @param {number} tries so far
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
async function waitOut(problem, tries, signal) {
  if (problem.status === 503) {
    await serverReady(1000);
    return true;
  }
  if (problem.status === 0 && !problem.alive) {
    // A photo that brings the server down must not do so for ever.
    const again = tries === 1;
    if (again) sayNext(words.goesOn);
    await serverReady(1000);
    return again;
  }
  if (problem.status === 429 && tries < BUSY_TRIES) {
    await countDown(Math.min(problem.retryAfter || BUSY_WAIT_S, LONGEST_WAIT_S), signal);
    return true;
  }
  return false;
}

/** @param {Reply} reply */
function showReply(reply) {
  const { results } = reply;
  const first = results[0];
  showQueryFacts(reply);
  if (!first) {
    hideResults();
    showEmptyIndex();
    return;
  }
  announce(words.found(results.length, first.name, formatSimilarity(first.similarity)));
  showResults(reply, currentIndex()?.places ?? null, (at) =>
    openViewer(results, at, previewAddress(), focusCard),
  );
}

takeIn(begin);
kChoice.addEventListener('change', search);
void serverReady().then(() => {
  if (currentIndex()?.places === 0 && !photo) showEmptyIndex();
});
