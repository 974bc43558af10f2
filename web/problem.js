// What went wrong, in words, with the mend and a way on.

import { element, find, icon } from './dom.js';
import { explain, reasonMends, saying } from './explain.js';
import { forgetButton, isAwaited, keyForm } from './key.js';
import { words } from './words.js';

/** @import { Problem } from './page-types.js' */

const box = find('problem', HTMLDivElement);
/** @type {(() => void)[]} what goes on with a key, but for what the reader gave up for something else */
let refused = [];

/** Errors that the same photo may survive when it is sent again. */
const worthAgain = (/** @type {Problem} */ { status }) => ![400, 401, 403, 404, 413, 415, 422].includes(status);

/**
 * @param {Problem} problem
 * @param {File[]} photos that were sent
 * @param {() => void} onAgain
 */
export function showProblem(problem, photos, onAgain) {
  if (problem.status === 401) {
    // Several requests may have been refused, and one form is shown: it lets all of them go on.
    refused.push(onAgain);
    if (box.querySelector('.key')) return box.scrollIntoView({ block: 'nearest' }); // a key may be half typed
  }
  const { title, mend } = explain(problem, photos);
  const { detail, reason } = problem;
  const mends = reasonMends(problem);
  const again = worthAgain(problem)
    ? [actionButton(problem.status === 429 ? words.tryNow : words.tryAgain, onAgain)]
    : [];
  fill(
    [element('h2', {}, title), mends ? saying('p', detail, reason) : element('p', {}, mend)],
    [
      element('p', { class: 'timer', role: 'timer' }),
      ...again,
      ...(problem.status === 401 ? [keyForm(goOn)] : []),
      ...(problem.status === 401 && problem.keyed ? [forgetButton(goOn)] : []),
      ...(detail && !mends ? [element('details', {}, element('summary', {}, words.serverSaid), saying('p', detail, reason))] : []),
    ],
  );
}

/** There is nothing to search in. */
export function showEmptyIndex() {
  showNothing(words.emptyTitle, words.emptyMend, element('pre', {}, element('code', {}, words.emptyCommand)));
}

/**
 * Say that there is nothing to show, though the server refused nothing.
 * @param {string} title
 * @param {string} mend
 * @param {Node} way on
 */
export function showNothing(title, mend, way) {
  fill([element('h2', {}, title), element('p', {}, mend)], [way]);
}

export function hideProblem() {
  if (isAwaited() && box.querySelector('.key')) return;
  refused = [];
  box.hidden = true;
  box.replaceChildren();
}

/**
 * Say, beside the problem shown, what will happen next.
 * @param {string} text
 */
export function sayNext(text = words.goesOn) {
  const timer = box.querySelector('.timer');
  if (timer) timer.textContent = text;
}

/**
 * Count down in the problem shown, then resolve. Not part of the alert: it would be read out
 * every second.
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
export async function countDown(seconds, signal) {
  for (let left = Math.ceil(seconds); left > 0 && !signal.aborted; left--) {
    sayNext(words.againIn(left));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/**
 * @param {Node[]} said
 * @param {Node[]} others
 */
function fill(said, others) {
  const alert = element('div', { role: 'alert' });
  box.replaceChildren(icon('alert'), element('div', {}, alert, ...others));
  box.hidden = false;
  // An alert is announced when it is filled, not when it is made.
  alert.append(...said);
  // What was pressed may be far below.
  box.scrollIntoView({ block: 'nearest' });
}

/**
 * @param {string} label
 * @param {() => void} onPress
 */
function actionButton(label, onPress) {
  const button = element('button', { type: 'button', class: 'button' }, label);
  button.addEventListener('click', () => {
    leave();
    onPress();
  });
  return button;
}

function goOn() {
  const all = refused;
  leave();
  for (const again of all) again();
}

function leave() {
  // What was pressed goes away with the problem; the focus must not go with it.
  find('answer', HTMLElement).focus();
  hideProblem();
}
