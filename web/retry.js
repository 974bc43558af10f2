// Requests that go on until there is an answer, or a problem that is for the reader to solve.

import { ApiError } from './api.js';
import { countDown, hideProblem, sayNext, showProblem } from './problem.js';
import { serverReady } from './server.js';

/** @import { Problem } from './page-types.js' */

const BUSY_TRIES = 5;
const BUSY_WAIT_S = 2;
const LONGEST_WAIT_S = 60;

/**
 * Ask until there is an answer; problems are shown meanwhile.
 * @template T
 * @param {() => Promise<T>} ask rejects with ApiError, or when the signal says so
 * @param {{photos: File[], signal: AbortSignal, onProblem: () => void, again: () => void}} on
 *   `photos` are named where they are to blame; `again` is what the button "Try again" does
 * @returns {Promise<T | null>} null when there will be no answer
 */
export async function persist(ask, { photos, signal, onProblem, again }) {
  for (let tries = 1; ; tries++) {
    hideProblem();
    try {
      const answer = await ask();
      return signal.aborted ? null : answer;
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof ApiError)) throw error;
      onProblem();
      showProblem(error.problem, photos, again);
      if (!(await waitOut(error.problem, tries, signal)) || signal.aborted) return null;
    }
  }
}

/**
 * Wait until the same request may go better; false where that is for the reader to say.
 * @param {Problem} problem
 * @param {number} tries so far
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>}
 */
async function waitOut(problem, tries, signal) {
  // What took too long once would again, and damage does not mend itself.
  if (problem.status === 503 && !/(timed-out|index-damaged)$/.test(problem.type)) {
    await serverReady(1000);
    return true;
  }
  if (problem.status === 0 && !problem.alive) {
    // A photo that brings the server down must not do so for ever.
    const again = tries === 1;
    if (again) sayNext();
    await serverReady(1000);
    return again;
  }
  if (problem.status === 429 && tries < BUSY_TRIES) {
    await countDown(Math.min(problem.retryAfter || BUSY_WAIT_S, LONGEST_WAIT_S), signal);
    return true;
  }
  return false;
}
