// Photos that the reader chooses in a file input, takes with the phone's camera, drops or pastes.

import { find } from './dom.js';
import { words } from './words.js';

const TEXT_FIELDS = 'textarea, [contenteditable], input:not([type=file], [type=checkbox], [type=radio])';

/** Extensions of photos that some browsers know no media type of, such as those in capitals. */
const UNTYPED = /\.(hei[cf]|avif)$/i;

/** @type {WeakMap<object, number>} the number of each slot's newest choice of photos */
const newestChoices = new WeakMap();
let choices = 0;

/**
 * Note that the reader has chosen photos. The function returned tells, once they are read, whether
 * this is still the newest choice for its slot.
 * @param {object} slot the document for the whole page
 */
export function beginChoice(slot = document) {
  const choice = ++choices;
  newestChoices.set(slot, choice);
  return () => (slot === document ? choices : Math.max(...[slot, document].map((part) => newestChoices.get(part) ?? 0))) === choice;
}

/**
 * Call back with the photos that the reader chooses, takes, drops or pastes.
 * @param {string[]} inputs ids of file inputs
 * @param {number} limit the most photos at a time
 * @param {(photos: File[], target: EventTarget | null) => void} onPhotos `target` is the file input,
 *   or the element that the photos were dropped on
 */
export function watchPhotos(inputs, limit, onPhotos) {
  const note = find('intake-note', HTMLParagraphElement);

  watchFiles(inputs, async (files, target, emptyNote = '') => {
    const images = files.filter(({ type, name }) => type.startsWith('image/') || (!type && UNTYPED.test(name)));
    const photos = (images.length ? images : files).slice(0, limit);
    const names = photos.map(({ name }) => name).join(', ');
    note.textContent = photos.length ? (files.length > limit ? words.severalPhotos(names, limit) : '') : emptyNote;
    if (!photos.length) return;
    const slot = target instanceof Element && target.closest('[data-slot]');
    // On a page of two slots, photos without a slot later go to a slot that is free.
    const isNewest = beginChoice(slot || (document.querySelector('[data-slot]') ? photos : document));
    // Loaded late, as only photos need it. If loading fails, photos are sent as they are.
    const shrinkModule = await import('./shrink.js').catch(() => null);
    const smallPhotos = shrinkModule ? await Promise.all(photos.map(shrinkModule.shrinkPhoto)) : photos;
    if (isNewest()) onPhotos(smallPhotos, target);
  });
}

/**
 * Call back with files of all kinds that the reader chooses, drops or pastes.
 * @param {string[]} inputs ids of file inputs
 * @param {(files: File[], target: EventTarget | null, emptyNote?: string) => void} onFiles `emptyNote`
 *   is the sentence to show where `files` is empty
 */
export function watchFiles(inputs, onFiles) {
  const report = (/** @type {FileList | null | undefined} */ files, /** @type {EventTarget | null} */ target, emptyNote = '') =>
    onFiles([...(files ?? [])], target, emptyNote);

  for (const id of inputs) {
    const input = find(id, HTMLInputElement);
    const onChange = () => {
      report(input.files, input);
      // With its value left, the input would report no change when the same file is chosen again.
      input.value = '';
    };
    input.addEventListener('change', onChange);
    // On a slow line the reader can choose a file before this script runs.
    if (input.files?.length) queueMicrotask(onChange);
  }

  const markDragging = (/** @type {boolean} */ on) => document.body.toggleAttribute('data-dragging', on);
  // Without these two listeners, the browser opens a dropped file in place of the page.
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    if (event.dataTransfer?.types.includes('Files')) markDragging(true);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    markDragging(false);
    report(event.dataTransfer?.files, event.target, words.nothingDropped);
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) markDragging(false);
  });

  document.addEventListener('paste', (event) => {
    if (event.target instanceof Element && event.target.closest(TEXT_FIELDS)) return;
    report(event.clipboardData?.files, null, words.nothingPasted);
  });
}
