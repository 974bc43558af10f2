// The part of the photo that is searched with: a box drawn on the preview.

import { find } from './dom.js';
import { words } from './words.js';

/** @import { Part } from './page-types.js' */

/** Pixels of the photo: the server refuses a part with a shorter side. */
const MIN_SIDE = 32;
const PAUSE_MS = 600;
/** The share of the photo's side that an arrow key moves the box by. */
const STEP = 0.02;

const figure = find('preview', HTMLElement);
const image = find('preview-photo', HTMLImageElement);
const frame = /** @type {HTMLElement} */ (image.parentElement);
const box = find('part', HTMLButtonElement);
const choose = find('choose-part', HTMLButtonElement);
const whole = find('whole-photo', HTMLButtonElement);
const hint = find('part-hint', HTMLParagraphElement);

/** @type {Part | null} */
let part = null;
/** @type {(part: Part | null) => void} */
let onPart = () => {};
let pauseTimer = 0;

/**
 * Call back with the part that the reader wants to search with, null for the whole photo.
 * @param {(part: Part | null) => void} onChange
 */
export function watchPart(onChange) {
  onPart = onChange;
  choose.addEventListener('click', () => {
    const { naturalWidth: wide, naturalHeight: high } = image;
    if (!wide) return;
    showPart(fitted([wide / 4, high / 4, wide / 2, high / 2]));
    box.focus();
  });
  whole.addEventListener('click', () => {
    showPart(null);
    choose.focus();
    onPart(null);
  });
  box.addEventListener('click', () => reportAfter(0));
  box.addEventListener('keydown', onKey);
  frame.addEventListener('pointerdown', onPointer);
  addEventListener('resize', layOut);
  image.addEventListener('load', layOut);
}

/**
 * Show the part that is searched with.
 * @param {Part | null} newPart
 * @param {boolean} [onePhoto] whether the query is one photo, of which a part can be chosen
 */
export function showPart(newPart, onePhoto = true) {
  clearTimeout(pauseTimer);
  part = newPart;
  figure.classList.toggle('drawing', part !== null);
  for (const control of [box, whole, hint]) control.hidden = part === null;
  choose.hidden = part !== null || image.hidden || !onePhoto;
  layOut();
}

/** Lay the box over the photo, which fills the frame in one direction. */
function layOut() {
  if (!part || !image.naturalWidth) return;
  const { scale, left, top } = photoInFrame();
  const [x, y, width, height] = part;
  Object.assign(box.style, {
    left: `${left + x * scale}px`,
    top: `${top + y * scale}px`,
    width: `${width * scale}px`,
    height: `${height * scale}px`,
  });
  box.setAttribute('aria-label', words.partLabel(part));
}

/** The photo in the frame: CSS pixels a pixel of the photo, and the photo's left upper corner. */
function photoInFrame() {
  const { naturalWidth: wide, naturalHeight: high } = image;
  const scale = Math.min(frame.clientWidth / wide, frame.clientHeight / high);
  return { scale, left: (frame.clientWidth - wide * scale) / 2, top: (frame.clientHeight - high * scale) / 2 };
}

/**
 * A box within the photo, of whole pixels.
 * @param {number[]} box left, top, width, height
 * @returns {Part}
 */
function fitted([x = 0, y = 0, width = 0, height = 0]) {
  const { naturalWidth: wide, naturalHeight: high } = image;
  const w = Math.round(Math.min(Math.max(width, MIN_SIDE), wide));
  const h = Math.round(Math.min(Math.max(height, MIN_SIDE), high));
  return [Math.round(Math.min(Math.max(x, 0), wide - w)), Math.round(Math.min(Math.max(y, 0), high - h)), w, h];
}

/**
 * Report the part once the reader has paused.
 * @param {number} ms
 */
function reportAfter(ms) {
  clearTimeout(pauseTimer);
  pauseTimer = setTimeout(() => onPart(part), ms);
}

/** @param {KeyboardEvent} event arrows move the box, with Shift they change its size */
function onKey(event) {
  const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!direction || !part) return;
  event.preventDefault();
  const [across = 0, down = 0] = direction;
  const [x, y, width, height] = part;
  const [dx, dy] = [across * STEP * image.naturalWidth, down * STEP * image.naturalHeight];
  // A change of size leaves the left upper corner, and the part stays within the photo.
  showPart(
    event.shiftKey
      ? fitted([x, y, Math.min(width + dx, image.naturalWidth - x), Math.min(height + dy, image.naturalHeight - y)])
      : fitted([x + dx, y + dy, width, height]),
  );
  reportAfter(PAUSE_MS);
}

/** @param {PointerEvent} event that draws a new box, or drags the box that it starts in */
function onPointer(event) {
  if (!part || event.button !== 0) return;
  const partBefore = part;
  const movesBox = event.target === box;
  const start = pixelAt(event);
  let dragged = false;
  event.preventDefault();
  box.focus();
  frame.setPointerCapture(event.pointerId);

  const onMove = (/** @type {PointerEvent} */ moved) => {
    const [x, y] = pixelAt(moved);
    const [startX, startY] = start;
    const [left, top, width, height] = partBefore;
    dragged = true;
    showPart(
      movesBox
        ? fitted([left + x - startX, top + y - startY, width, height])
        : fitted([Math.min(x, startX), Math.min(y, startY), Math.abs(x - startX), Math.abs(y - startY)]),
    );
  };
  const end = (/** @type {PointerEvent} */ { type }) => {
    frame.removeEventListener('pointermove', onMove);
    frame.removeEventListener('pointerup', end);
    frame.removeEventListener('pointercancel', end);
    if (type === 'pointercancel') showPart(partBefore);
    else if (dragged) onPart(part);
  };
  frame.addEventListener('pointermove', onMove);
  frame.addEventListener('pointerup', end);
  frame.addEventListener('pointercancel', end);
}

/**
 * The photo's pixel below the pointer, or nearest to it.
 * @param {PointerEvent} event
 * @returns {[number, number]}
 */
function pixelAt({ clientX, clientY }) {
  const { scale, left, top } = photoInFrame();
  const frameBox = frame.getBoundingClientRect();
  const x = (clientX - frameBox.left - left) / scale;
  const y = (clientY - frameBox.top - top) / scale;
  return [Math.min(Math.max(x, 0), image.naturalWidth), Math.min(Math.max(y, 0), image.naturalHeight)];
}
