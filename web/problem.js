// The box that shows a problem: its title, what to do, and buttons to go on.

import { element, find, icon } from './dom.js';
import { describeProblem, isReasonTheRemedy, sentenceElement } from './problem-text.js';
import { forgetButton, isKeyAwaited, keyForm } from './key.js';
import { words } from './words.js';

/** @import { Problem } from './page-types.js' */

const box = find('problem', HTMLDivElement);
/** @type {(() => void)[]} retries of the requests that were refused for want of a key */
let refusedRetries = [];

/** Whether the same request may succeed when it is sent again. */
const isWorthRetrying = (/** @type {Problem} */ { status }) => ![400, 401, 403, 404, 413, 415, 422].includes(status);

/**
 * @param {Problem} problem
 * @param {File[]} photos that were sent
 * @param {() => void} onRetry
 */
export function showProblem(problem, photos, onRetry) {
  if (problem.status === 401) {
    // One form for the key serves all requests that were refused.
    refusedRetries.push(onRetry);
    if (box.querySelector('.key')) return box.scrollIntoView({ block: 'nearest' }); // the reader may be typing a key
  }
  const { title, remedy } = describeProblem(problem, photos);
  const { detail, reason } = problem;
  const reasonShown = isReasonTheRemedy(problem);
  const retry = isWorthRetrying(problem)
    ? [actionButton(problem.status === 429 ? words.tryNow : words.tryAgain, onRetry)]
    : [];
  fill(
    [element('h2', {}, title), reasonShown ? sentenceElement('p', detail, reason) : element('p', {}, remedy)],
    [
      element('p', { class: 'timer', role: 'timer' }),
      ...retry,
      ...(problem.status === 401 ? [keyForm(retryRefused)] : []),
      ...(problem.status === 401 && problem.keyed ? [forgetButton(retryRefused)] : []),
      ...(detail && !reasonShown ? [element('details', {}, element('summary', {}, words.serverSaid), sentenceElement('p', detail, reason))] : []),
    ],
  );
}

/** Show that the index has no places. */
export function showEmptyIndex() {
  showNotice(words.emptyTitle, words.emptyMend, element('pre', {}, element('code', {}, words.emptyCommand)));
}

/**
 * Show that the page has nothing to show, though the server refused nothing.
 * @param {string} title
 * @param {string} remedy
 * @param {Node} link or an example of what to do
 */
export function showNotice(title, remedy, link) {
  fill([element('h2', {}, title), element('p', {}, remedy)], [link]);
}

export function hideProblem() {
  if (isKeyAwaited() && box.querySelector('.key')) return;
  refusedRetries = [];
  box.hidden = true;
  box.replaceChildren();
}

/**
 * Show beside the problem what will happen next.
 * @param {string} text
 */
export function showNextStep(text = words.goesOn) {
  const timer = box.querySelector('.timer');
  if (timer) timer.textContent = text;
}

/**
 * Count down beside the problem, then resolve. The countdown is not part of the alert, which screen
 * readers would read every second.
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
export async function countDown(seconds, signal) {
  for (let secondsLeft = Math.ceil(seconds); secondsLeft > 0 && !signal.aborted; secondsLeft--) {
    showNextStep(words.againIn(secondsLeft));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/**
 * @param {Node[]} message
 * @param {Node[]} actions
 */
function fill(message, actions) {
  const alert = element('div', { role: 'alert' });
  box.replaceChildren(icon('alert'), element('div', {}, alert, ...actions));
  box.hidden = false;
  // Screen readers announce an alert when it is filled, not when it is inserted.
  alert.append(...message);
  // The button that the reader pressed may be far below.
  box.scrollIntoView({ block: 'nearest' });
}

/**
 * @param {string} label
 * @param {() => void} onPress
 */
function actionButton(label, onPress) {
  const button = element('button', { type: 'button', class: 'button' }, label);
  button.addEventListener('click', () => {
    close();
    onPress();
  });
  return button;
}

function retryRefused() {
  const retries = refusedRetries;
  close();
  for (const retry of retries) retry();
}

function close() {
  // The button pressed disappears with the problem, and the focus must not be lost with it.
  find('answer', HTMLElement).focus();
  hideProblem();
}
