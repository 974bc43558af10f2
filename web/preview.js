// The photo that is searched with, and the progress of the search.

import { positionButton } from './copy.js';
import { announce, element, find } from './dom.js';
import { sentenceElement } from './problem-text.js';
import { words } from './words.js';

/** @import { SearchReply } from './types.js' */

const DECODE_WAIT_MS = 400;

const figure = find('preview', HTMLElement);
const image = find('preview-photo', HTMLImageElement);
const missing = find('preview-missing', HTMLParagraphElement);
const caption = find('preview-caption', HTMLElement);
const facts = find('query-facts', HTMLDivElement);
const progress = find('progress', HTMLDivElement);
const progressWords = find('progress-words', HTMLParagraphElement);
const progressBar = find('progress-bar', HTMLProgressElement);

/**
 * Show a photo, upright, as soon as the browser has decoded it.
 * @param {File} photo
 * @param {number} [photoCount] photos of the query, of which this is the first
 */
export async function showPreview(photo, photoCount = 1) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(photo);
  image.hidden = false;
  missing.hidden = true;
  caption.textContent = words.caption(photo.name, photo.size) + (photoCount > 1 ? words.together(photoCount) : '');
  facts.replaceChildren();

  const address = image.src;
  const decoded = image.decode().then(
    () => {
      // The frame takes the photo's shape before it is shown, so nothing moves later.
      if (image.src === address) shapeFrame(image.naturalWidth / image.naturalHeight);
    },
    () => {
      if (image.src === address) showNoPreview();
    },
  );
  await Promise.race([decoded, new Promise((resolve) => setTimeout(resolve, DECODE_WAIT_MS))]);
  figure.hidden = false;
}

/** @param {number} aspect */
function shapeFrame(aspect) {
  figure.style.setProperty('--aspect', `${Math.min(Math.max(aspect, 0.75), 2)}`);
}

function showNoPreview() {
  image.hidden = true;
  missing.hidden = false;
  missing.textContent = words.noPreview;
}

/**
 * The address of the previewed photo, or null where the browser cannot show it.
 * @returns {string | null}
 */
export function previewAddress() {
  return image.hidden ? null : image.src;
}

/**
 * Show what the server read in the photo: its position, and notes on its defects.
 * @param {SearchReply} reply
 */
export function showQueryFacts({ query }) {
  const { position, notes, reasons } = query;
  facts.replaceChildren(
    ...(position ? [element('p', {}, `${words.takenAt} `, positionButton(position))] : []),
    ...notes.map((note, at) => sentenceElement('p', note, reasons[at])),
  );
}

export function hideQueryFacts() {
  facts.replaceChildren();
}

export function hidePreview() {
  figure.hidden = true;
  hideProgress();
  hideQueryFacts();
}

/**
 * Show the progress of the search.
 * @param {string} text
 * @param {number | null} share of the work that is finished, null where it cannot be known
 */
export function showProgress(text, share) {
  progress.hidden = false;
  progressWords.textContent = text;
  if (share === null) progressBar.removeAttribute('value');
  else progressBar.value = share;
}

export function hideProgress() {
  progress.hidden = true;
}

/**
 * Show progress, and announce it to screen readers; percentages are only shown.
 * @param {string} text
 */
export function announceProgress(text) {
  showProgress(text, null);
  announce(text);
}
