// The frames of a track beside their places: a strip, and one pair of them that is looked at.

import { element, find, icon, imageOr } from './dom.js';
import { UNSURE_FROM, splitName } from './format.js';
import { thumbnail } from './thumbnail.js';
import { trackWords } from './track-words.js';
import { words } from './words.js';

/** @import { LocatedFrameReply } from './types.js' */
/** @typedef {{located: LocatedFrameReply, name: string, photo: string, card: HTMLLIElement}} Shown `photo` is an address */

/** As many as the server keeps of a track. */
const MOST = 1000;
/** Letters of a place's name in a line with figures after it, half of them from its end. */
const MOST_LETTERS = 20;

const strip = find('strip', HTMLOListElement);
const scrub = find('scrub', HTMLInputElement);
const told = find('told', HTMLParagraphElement);
const pairFrame = find('pair-frame', HTMLDivElement);
const pairName = find('pair-name', HTMLElement);
const pairPlace = find('pair-place', HTMLDivElement);

/** @type {Shown[]} */
let shown = [];
let at = -1;
let onPick = (/** @type {LocatedFrameReply} */ _) => {};

scrub.addEventListener('input', () => pick(Number(scrub.value)));
strip.addEventListener('keydown', (event) => {
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: shown.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  pick(to);
});

/**
 * Call back with each frame that is looked at.
 * @param {(located: LocatedFrameReply) => void} call
 */
export function onPicked(call) {
  onPick = call;
}

/**
 * Add a frame at the end; it is looked at unless the reader looks at an earlier one.
 * @param {LocatedFrameReply} located
 * @param {File} file
 */
export function addToStrip(located, file) {
  const photo = URL.createObjectURL(file);
  const card = element(
    'li',
    { class: located.known ? 'known' : 'off' },
    element('div', { class: 'frame' }, imageOr(words.noPreview, { src: photo })),
    element('div', { class: 'frame' }, placed(located)),
    element('span', { class: 'word' }, trackWords.trackWord(wordOf(located), located.probability)),
  );
  /** @type {Shown} */
  const one = { located, name: file.name, photo, card };
  card.addEventListener('click', () => pick(shown.indexOf(one)));
  const followed = at === shown.length - 1;
  shown.push(one);
  strip.append(card);
  if (shown.length > MOST) {
    const first = shown.shift();
    if (first) URL.revokeObjectURL(first.photo);
    first?.card.remove();
    at = Math.max(at - 1, 0);
  }
  scrub.max = `${shown.length - 1}`;
  if (followed) pick(shown.length - 1);
}

export function clearStrip() {
  for (const { photo } of shown) URL.revokeObjectURL(photo);
  shown = [];
  at = -1;
  strip.replaceChildren();
  pairFrame.replaceChildren();
  pairPlace.replaceChildren();
  told.textContent = '';
  scrub.max = '0';
}

/** @param {number} to */
function pick(to) {
  const one = shown[to];
  if (!one) return;
  shown[at]?.card.removeAttribute('aria-current');
  at = to;
  const { located, name, photo, card } = one;
  card.setAttribute('aria-current', 'true');
  // Not scrollIntoView, which would move the page too.
  strip.scrollLeft = card.offsetLeft - strip.offsetLeft - (strip.clientWidth - card.offsetWidth) / 2;
  const line = trackWords.trackFrame(located.frame + 1, locatedLine(located));
  scrub.value = `${at}`;
  scrub.setAttribute('aria-valuetext', line);
  told.className = located.known ? 'told' : 'told off';
  told.textContent = line;
  pairFrame.replaceChildren(imageOr(words.noPreview, { src: photo }));
  pairName.textContent = name;
  pairPlace.replaceChildren(placed(located));
  onPick(located);
}

/** @param {LocatedFrameReply} located */
export function locatedLine(located) {
  const { place, probability, heading } = located;
  const { leaf } = splitName({ name: place ?? '' });
  const letters = [...leaf];
  const half = MOST_LETTERS / 2;
  const name = letters.length > MOST_LETTERS ? [...letters.slice(0, half), '…', ...letters.slice(-half)].join('') : leaf;
  const line = trackWords.trackLine(wordOf(located), name, probability);
  return located.known && heading !== null ? `${line}, ${trackWords.heading(heading)}` : line;
}

/**
 * @param {LocatedFrameReply} located
 * @returns {'here' | 'perhaps' | 'off' | 'unsure'}
 */
function wordOf({ known, probability }) {
  const sure = probability >= UNSURE_FROM;
  if (known) return sure ? 'here' : 'perhaps';
  return sure ? 'off' : 'unsure';
}

/** @param {LocatedFrameReply} located */
function placed({ known, place_id }) {
  if (!known || place_id === null) return icon('close');
  return thumbnail(`v1/places/${place_id}/thumbnail`);
}
