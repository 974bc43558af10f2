// The result of a comparison of two photos, in words and on a scale.

import { element, icon } from './dom.js';
import { sentenceElement } from './problem-text.js';
import { UNSURE_FROM, formatSimilarity } from './format.js';
import { words } from './words.js';

/** @import { CompareReply } from './types.js' */

/**
 * The verdict that a search would give for the same photos, so that the pages agree.
 * @param {CompareReply} compared
 */
function verdictOf({ result, probability }) {
  if (result === 'same') return 'found';
  // From the threshold on, "same" is hardly ever wrong; below it, one place may still be likelier.
  return probability >= UNSURE_FROM ? 'unsure' : 'not_found';
}

/** @param {CompareReply} compared */
export function verdictLine(compared) {
  return { found: words.same, unsure: words.perhaps, not_found: words.different }[verdictOf(compared)];
}

/**
 * The elements of a verdict: its words, its probability on a scale, and the evidence.
 * @param {CompareReply} compared
 */
export function verdict(compared) {
  const { probability, threshold, similarity, inliers, result, photo_notes: notes = [], photo_reasons: reasons = [] } = compared;
  return [
    element('h2', { id: 'verdict', class: `verdict ${result}` }, icon(verdictOf(compared)), verdictLine(compared)),
    probabilityScale(probability, threshold),
    element(
      'dl',
      { class: 'grounds' },
      element('div', {}, element('dt', {}, words.similarity), element('dd', {}, formatSimilarity(similarity))),
      element('div', {}, element('dt', {}, words.matchingPoints), element('dd', {}, words.number(inliers))),
    ),
    ...notes.map((note, at) => sentenceElement('p', note, reasons[at], { class: 'note' })),
  ];
}

/**
 * @param {number} probability
 * @param {number} threshold
 */
function probabilityScale(probability, threshold) {
  const scale = element(
    'div',
    { class: 'scale', 'aria-hidden': true },
    element('span', { class: 'fill' }),
    element('span', { class: 'tick' }, element('span', {}, words.thresholdAt(threshold))),
  );
  scale.style.setProperty('--probability', `${probability}`);
  scale.style.setProperty('--threshold', `${threshold}`);
  return element(
    'div',
    { class: 'probability' },
    element('p', {}, words.probability(probability, threshold)),
    scale,
    element('p', { class: 'ends-of', 'aria-hidden': true }, element('span', {}, '0%'), element('span', {}, '100%')),
  );
}

/**
 * A switch for the lines between photos.
 * @param {boolean} on
 * @param {(on: boolean) => void} onChange
 */
export function linesSwitch(on, onChange) {
  const box = element('input', { type: 'checkbox', role: 'switch', checked: on });
  box.addEventListener('change', () => onChange(box.checked));
  return element('label', { class: 'switch' }, box, words.showLines);
}
