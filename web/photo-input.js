// Photos that come in: by a file input, by the phone's camera, dropped or pasted.

import { find } from './dom.js';
import { words } from './words.js';

const TYPING = 'textarea, [contenteditable], input:not([type=file], [type=checkbox], [type=radio])';

/** What browsers know no type of, on some systems or where a camera writes it in capitals. */
const UNTYPED = /\.(hei[cf]|avif)$/i;

/** @type {WeakMap<object, number>} the newest choice of photos for each slot of the page */
const newest = new WeakMap();
let choices = 0;

/**
 * Begin with photos that are to come; the answer says whether none newer are for the same slot.
 * @param {object} slot the document for all of the page
 */
export function begin(slot = document) {
  const choice = ++choices;
  newest.set(slot, choice);
  return () => (slot === document ? choices : Math.max(...[slot, document].map((of) => newest.get(of) ?? 0))) === choice;
}

/**
 * Call back with the photos that come in, by whichever way.
 * @param {string[]} inputs ids of file inputs
 * @param {number} most photos at a time
 * @param {(photos: File[], where: EventTarget | null) => void} onPhotos
 */
export function takeIn(inputs, most, onPhotos) {
  const note = find('intake-note', HTMLParagraphElement);

  filesIn(inputs, async (all, where, none = '') => {
    const images = all.filter(({ type, name }) => type.startsWith('image/') || (!type && UNTYPED.test(name)));
    const photos = (images.length ? images : all).slice(0, most);
    const names = photos.map(({ name }) => name).join(', ');
    note.textContent = photos.length ? (all.length > most ? words.severalPhotos(names, most) : '') : none;
    if (!photos.length) return;
    const aimed = where instanceof Element && where.closest('[data-slot]');
    // On a page of two slots, those that are aimed at neither are for the one that is free then.
    const isNewest = begin(aimed || (document.querySelector('[data-slot]') ? photos : document));
    // Not needed before there is a photo; without a connection, the page says so when it sends it.
    const shrinking = await import('./shrink.js').catch(() => null);
    const ready = shrinking ? await Promise.all(photos.map(shrinking.shrink)) : photos;
    if (isNewest()) onPhotos(ready, where);
  });
}

/**
 * Call back with the files that come in, whatever they are.
 * @param {string[]} inputs ids of file inputs
 * @param {(files: File[], where: EventTarget | null, none?: string) => void} onFiles `none` is what
 *   to say when there are none
 */
export function filesIn(inputs, onFiles) {
  const take = (/** @type {FileList | null | undefined} */ files, /** @type {EventTarget | null} */ where, none = '') =>
    onFiles([...(files ?? [])], where, none);

  for (const id of inputs) {
    const input = find(id, HTMLInputElement);
    const chosen = () => {
      take(input.files, input);
      // Otherwise choosing the same file twice is no change.
      input.value = '';
    };
    input.addEventListener('change', chosen);
    // On a slow line a file can be chosen before there is a script to hear of it.
    if (input.files?.length) queueMicrotask(chosen);
  }

  const dragging = (/** @type {boolean} */ on) => document.body.toggleAttribute('data-dragging', on);
  // Without these two, a file dropped beside the target replaces the page.
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    if (event.dataTransfer?.types.includes('Files')) dragging(true);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    dragging(false);
    take(event.dataTransfer?.files, event.target, words.nothingDropped);
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) dragging(false);
  });

  document.addEventListener('paste', (event) => {
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    take(event.clipboardData?.files, null, words.nothingPasted);
  });
}
