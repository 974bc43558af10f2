// The part of the photo that is searched with: a box drawn on the preview.

import { find } from './dom.js';
import { words } from './words.js';

/** @import { Part } from './page-types.js' */

/** Pixels of the photo: the server takes no less. */
const LEAST = 32;
const PAUSE_MS = 600;
/** Of a side, that an arrow key moves the box by. */
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
let changed = () => {};
let pause = 0;

/**
 * Call back with the part that the reader wants to search with, null for the whole photo.
 * @param {(part: Part | null) => void} onChange
 */
export function choosePart(onChange) {
  changed = onChange;
  choose.addEventListener('click', () => {
    const { naturalWidth: wide, naturalHeight: high } = image;
    if (!wide) return;
    showPart(fitted([wide / 4, high / 4, wide / 2, high / 2]));
    box.focus();
  });
  whole.addEventListener('click', () => {
    showPart(null);
    choose.focus();
    changed(null);
  });
  box.addEventListener('click', () => tell(0));
  box.addEventListener('keydown', onKey);
  frame.addEventListener('pointerdown', onPointer);
  addEventListener('resize', lay);
  image.addEventListener('load', lay);
}

/**
 * Show the part that is searched with.
 * @param {Part | null} wanted
 * @param {boolean} [alone] whether one photo is the query, of which a part can be chosen
 */
export function showPart(wanted, alone = true) {
  clearTimeout(pause);
  part = wanted;
  figure.classList.toggle('drawing', part !== null);
  for (const shown of [box, whole, hint]) shown.hidden = part === null;
  choose.hidden = part !== null || image.hidden || !alone;
  lay();
}

/** Lay the box over the photo, which the frame shows as large as it fits. */
function lay() {
  if (!part || !image.naturalWidth) return;
  const { scale, left, top } = shownAt();
  const [x, y, width, height] = part;
  Object.assign(box.style, {
    left: `${left + x * scale}px`,
    top: `${top + y * scale}px`,
    width: `${width * scale}px`,
    height: `${height * scale}px`,
  });
  box.setAttribute('aria-label', words.partLabel(part));
}

/** How many pixels of the page a pixel of the photo has, and where in the frame it begins. */
function shownAt() {
  const { naturalWidth: wide, naturalHeight: high } = image;
  const scale = Math.min(frame.clientWidth / wide, frame.clientHeight / high);
  return { scale, left: (frame.clientWidth - wide * scale) / 2, top: (frame.clientHeight - high * scale) / 2 };
}

/**
 * A box within the photo, of whole pixels.
 * @param {number[]} wanted left, top, width, height
 * @returns {Part}
 */
function fitted([x = 0, y = 0, width = 0, height = 0]) {
  const { naturalWidth: wide, naturalHeight: high } = image;
  const w = Math.round(Math.min(Math.max(width, LEAST), wide));
  const h = Math.round(Math.min(Math.max(height, LEAST), high));
  return [Math.round(Math.min(Math.max(x, 0), wide - w)), Math.round(Math.min(Math.max(y, 0), high - h)), w, h];
}

/**
 * Tell of the part once the reader has paused.
 * @param {number} after milliseconds
 */
function tell(after) {
  clearTimeout(pause);
  pause = setTimeout(() => changed(part), after);
}

/** @param {KeyboardEvent} event arrows move the box, with Shift they change its size */
function onKey(event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way || !part) return;
  event.preventDefault();
  const [across = 0, down = 0] = way;
  const [x, y, width, height] = part;
  const [dx, dy] = [across * STEP * image.naturalWidth, down * STEP * image.naturalHeight];
  // The left or upper edge stays where the size changes, and nothing grows beyond the photo.
  showPart(
    event.shiftKey
      ? fitted([x, y, Math.min(width + dx, image.naturalWidth - x), Math.min(height + dy, image.naturalHeight - y)])
      : fitted([x + dx, y + dy, width, height]),
  );
  tell(PAUSE_MS);
}

/** @param {PointerEvent} event that begins a new box, or moves the one that it begins in */
function onPointer(event) {
  if (!part || event.button !== 0) return;
  const before = part;
  const moves = event.target === box;
  const from = pixelAt(event);
  let dragged = false;
  event.preventDefault();
  box.focus();
  frame.setPointerCapture(event.pointerId);

  const onMove = (/** @type {PointerEvent} */ to) => {
    const [x, y] = pixelAt(to);
    const [fromX, fromY] = from;
    const [left, top, width, height] = before;
    dragged = true;
    showPart(
      moves
        ? fitted([left + x - fromX, top + y - fromY, width, height])
        : fitted([Math.min(x, fromX), Math.min(y, fromY), Math.abs(x - fromX), Math.abs(y - fromY)]),
    );
  };
  const end = (/** @type {PointerEvent} */ { type }) => {
    frame.removeEventListener('pointermove', onMove);
    frame.removeEventListener('pointerup', end);
    frame.removeEventListener('pointercancel', end);
    if (type === 'pointercancel') showPart(before);
    else if (dragged) changed(part);
  };
  frame.addEventListener('pointermove', onMove);
  frame.addEventListener('pointerup', end);
  frame.addEventListener('pointercancel', end);
}

/**
 * The pixel of the photo below a pointer, the nearest where it is beside the photo.
 * @param {PointerEvent} event
 * @returns {[number, number]}
 */
function pixelAt({ clientX, clientY }) {
  const { scale, left, top } = shownAt();
  const at = frame.getBoundingClientRect();
  const x = (clientX - at.left - left) / scale;
  const y = (clientY - at.top - top) / scale;
  return [Math.min(Math.max(x, 0), image.naturalWidth), Math.min(Math.max(y, 0), image.naturalHeight)];
}
