// The strip of a track's frames and their places, and the pair that is selected in it.

import { announce, element, find, icon, imageOr } from './dom.js';
import { UNSURE_FROM, splitName } from './format.js';
import { thumbnail } from './thumbnail.js';
import { trackWords } from './track-words.js';
import { words } from './words.js';

/** @import { LocatedFrameReply } from './types.js' */
/** @typedef {{located: LocatedFrameReply, name: string, photo: string, card: HTMLLIElement}} StripFrame `photo` is an address */

/** The most frames of the strip, as many as the server keeps of a track. */
const MAX_FRAMES = 1000;
/** The most letters of a place's name in a line: longer names lose their middle. */
const MAX_LETTERS = 20;

const strip = find('strip', HTMLOListElement);
const scrub = find('scrub', HTMLInputElement);
const description = find('told', HTMLParagraphElement);
const pairFrame = find('pair-frame', HTMLDivElement);
const pairName = find('pair-name', HTMLElement);
const pairPlace = find('pair-place', HTMLDivElement);

/** @type {StripFrame[]} */
let frames = [];
/** Index of the selected frame. */
let selected = -1;
let onSelect = (/** @type {LocatedFrameReply} */ _) => {};

/** The longest line of a frame, whose room is kept so that nothing moves from frame to frame. */
export const longestLine = `${trackWords.trackLine('perhaps', shortened('n'.repeat(MAX_LETTERS + 1)), 0.995)}, ${trackWords.heading(359)}`;
description.dataset['longest'] = trackWords.trackFrame(MAX_FRAMES, longestLine);

scrub.addEventListener('input', () => select(Number(scrub.value)));
strip.addEventListener('keydown', (event) => {
  const target = { ArrowLeft: selected - 1, ArrowRight: selected + 1, Home: 0, End: frames.length - 1 }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  select(target);
  // The focus stays on the strip, so nothing else would be read.
  announce(description.textContent ?? '');
});

/**
 * Call back with each frame that is selected.
 * @param {(located: LocatedFrameReply) => void} call
 */
export function watchSelection(call) {
  onSelect = call;
}

/**
 * Add a frame at the end, and select it unless the reader has selected an earlier frame.
 * @param {LocatedFrameReply} located
 * @param {File} file
 */
export function addToStrip(located, file) {
  const photo = URL.createObjectURL(file);
  const card = element(
    'li',
    { class: located.known ? 'known' : 'off' },
    element('div', { class: 'frame' }, imageOr(words.noPreview, { src: photo })),
    element('div', { class: 'frame' }, placeImage(located)),
    element('span', { class: 'word' }, trackWords.trackWord(wordOf(located), located.probability)),
  );
  /** @type {StripFrame} */
  const frame = { located, name: file.name, photo, card };
  card.addEventListener('click', () => select(frames.indexOf(frame)));
  const lastSelected = selected === frames.length - 1;
  frames.push(frame);
  strip.append(card);
  if (frames.length > MAX_FRAMES) {
    const first = frames.shift();
    if (first) URL.revokeObjectURL(first.photo);
    first?.card.remove();
    selected = Math.max(selected - 1, 0);
  }
  scrub.max = `${frames.length - 1}`;
  if (lastSelected) select(frames.length - 1);
}

export function clearStrip() {
  for (const { photo } of frames) URL.revokeObjectURL(photo);
  frames = [];
  selected = -1;
  strip.replaceChildren();
  pairFrame.replaceChildren();
  pairPlace.replaceChildren();
  description.textContent = '';
  scrub.max = '0';
}

/** @param {number} target index of a frame */
function select(target) {
  const frame = frames[target];
  if (!frame) return;
  frames[selected]?.card.removeAttribute('aria-current');
  selected = target;
  const { located, name, photo, card } = frame;
  card.setAttribute('aria-current', 'true');
  // Not scrollIntoView, which would scroll the page too.
  strip.scrollLeft = card.offsetLeft - strip.offsetLeft - (strip.clientWidth - card.offsetWidth) / 2;
  const line = trackWords.trackFrame(located.frame + 1, locatedLine(located));
  scrub.value = `${selected}`;
  scrub.setAttribute('aria-valuetext', line);
  description.className = located.known ? 'told' : 'told off';
  description.textContent = line;
  pairFrame.replaceChildren(imageOr(words.noPreview, { src: photo }));
  pairName.textContent = name;
  pairPlace.replaceChildren(placeImage(located));
  onSelect(located);
}

/** A frame's place, probability and heading, in words. @param {LocatedFrameReply} located */
export function locatedLine(located) {
  const { place, probability, heading } = located;
  const line = trackWords.trackLine(wordOf(located), shortened(splitName({ name: place ?? '' }).leaf), probability);
  return located.known && heading !== null ? `${line}, ${trackWords.heading(heading)}` : line;
}

/** @param {string} name */
function shortened(name) {
  const letters = [...name];
  const half = MAX_LETTERS / 2;
  return letters.length > MAX_LETTERS ? [...letters.slice(0, half), '…', ...letters.slice(-half)].join('') : name;
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
function placeImage({ known, place_id }) {
  if (!known || place_id === null) return icon('close');
  return thumbnail(`v1/places/${place_id}/thumbnail`);
}
