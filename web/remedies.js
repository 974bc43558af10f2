// Ways to a better answer after a search that is not sure of its place.

import { element } from './dom.js';
import { words } from './words.js';

/** @import { Settings } from './page-types.js' */
/** @import { SearchReply } from './types.js' */

/**
 * @param {SearchReply} reply
 * @param {Settings} settings of the search
 * @param {(changed: Partial<Settings>) => void} changeSettings search again
 * @returns {HTMLElement[]} items of a list
 */
export function remedies({ match: { verdict } }, { area, verify, only }, changeSettings) {
  if (verdict === 'found') return [];
  const items = [];
  if (area) items.push([words.wasNear, ' ', textButton(words.searchEverywhere, () => changeSettings({ area: null }))]);
  if (Object.keys(only).length) items.push([words.wasNarrowed, ' ', textButton(words.searchAll, () => changeSettings({ only: {} }))]);
  if (!verify) items.push([words.wasUnverified, ' ', textButton(words.checkGeometry, () => changeSettings({ verify: true }))]);
  if (verdict === 'unsure') items.push([words.lookYourself]);
  items.push([words.betterPhoto]);
  if (verdict === 'not_found') items.push([words.addPhoto, ' ', element('code', {}, words.addCommand)]);
  return items.map((parts) => element('li', {}, ...parts));
}

/**
 * @param {string} label
 * @param {() => void} onPress
 */
function textButton(label, onPress) {
  const button = element('button', { type: 'button', class: 'textual' }, label);
  button.addEventListener('click', onPress);
  return button;
}
