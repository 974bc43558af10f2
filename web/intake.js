// Photos that come in: by the file input, by the phone's camera, dropped or pasted.

import { find } from './dom.js';
import { words } from './words.js';

const TYPING = 'textarea, [contenteditable], input:not([type=file], [type=checkbox], [type=radio])';

/**
 * Call back with each photo that comes in, by whichever way.
 * @param {(photo: File) => void} onPhoto
 */
export function takeIn(onPhoto) {
  const note = find('intake-note', HTMLParagraphElement);

  /**
   * @param {FileList | null | undefined} files
   * @param {string} [none] what to say when there are none
   */
  const take = (files, none = '') => {
    const all = [...(files ?? [])];
    const photo = all.find((file) => file.type.startsWith('image/')) ?? all[0];
    note.textContent = photo ? (all.length > 1 ? words.severalPhotos(photo.name) : '') : none;
    if (photo) onPhoto(photo);
  };

  for (const id of ['photo', 'camera']) {
    const input = find(id, HTMLInputElement);
    input.addEventListener('change', () => {
      take(input.files);
      // Otherwise choosing the same file twice is no change.
      input.value = '';
    });
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
    take(event.dataTransfer?.files, words.nothingDropped);
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) dragging(false);
  });

  document.addEventListener('paste', (event) => {
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    take(event.clipboardData?.files, words.nothingPasted);
  });
}
