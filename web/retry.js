// Requests that are sent again until the server answers, or the reader must solve a problem.

import { ApiError } from './api.js';
import { countDown, hideProblem, showNextStep, showProblem } from './problem.js';
import { serverReady } from './server.js';

/** @import { Problem } from './page-types.js' */

const MAX_BUSY_TRIES = 5;
const BUSY_WAIT_S = 2;
const MAX_WAIT_S = 60;

/**
 * Send a request until the server answers, and show each problem meanwhile.
 * @template T
 * @param {() => Promise<T>} send rejects with ApiError, or with the signal's reason
 * @param {{photos: File[], signal: AbortSignal, onProblem: () => void, onRetry: () => void}} options
 *   a problem names `photos` where it is about them; the button "Try again" calls `onRetry`
 * @returns {Promise<T | null>} null where the signal or a problem ended the attempts
 */
export async function sendWithRetries(send, { photos, signal, onProblem, onRetry }) {
  for (let tries = 1; ; tries++) {
    hideProblem();
    try {
      const answer = await send();
      return signal.aborted ? null : answer;
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof ApiError)) throw error;
      onProblem();
      showProblem(error.problem, photos, onRetry);
      if (!(await waitToRetry(error.problem, tries, signal)) || signal.aborted) return null;
    }
  }
}

/**
 * Wait until the same request may succeed; false where only the reader can help.
 * @param {Problem} problem
 * @param {number} tries sent until now
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
async function waitToRetry(problem, tries, signal) {
  // A request that timed out would time out again, and a damaged index stays damaged.
  if (problem.status === 503 && !/(timed-out|index-damaged)$/.test(problem.type)) {
    await serverReady(1000);
    return true;
  }
  if (problem.status === 0 && !problem.alive) {
    // A photo that crashes the server is sent twice at most.
    const sendAgain = tries === 1;
    if (sendAgain) showNextStep();
    await serverReady(1000);
    return sendAgain;
  }
  if (problem.status === 429 && tries < MAX_BUSY_TRIES) {
    await countDown(Math.min(problem.retryAfter || BUSY_WAIT_S, MAX_WAIT_S), signal);
    return true;
  }
  return false;
}
