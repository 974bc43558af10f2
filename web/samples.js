// Photos to try with one click, where the server has some.

import { ApiError, readPhoto, showPicture } from './api.js';
import { element } from './dom.js';
import { beginChoice } from './photo-input.js';
import { showProblem } from './problem.js';
import { words } from './words.js';

/**
 * Show buttons of one or more photos each; call back with the photos of the button pressed.
 * @param {HTMLElement} box
 * @param {string[][]} choices addresses of photos
 * @param {(photos: File[]) => void} onPhotos
 */
export function offerSamples(box, choices, onPhotos) {
  const items = choices.map((photos, at) => {
    const button = element('button', { type: 'button', 'aria-label': words.sample(at + 1, photos.length) });
    for (const photo of photos) {
      const image = element('img', { alt: '' });
      void showPicture(image, photo);
      button.append(image);
    }
    button.addEventListener('click', async () => {
      const isNewest = beginChoice();
      try {
        const files = await Promise.all(photos.map((photo) => readPhoto({ name: photo, image_url: photo })));
        if (isNewest()) onPhotos(files);
      } catch (error) {
        if (!isNewest()) return;
        if (!(error instanceof ApiError)) throw error;
        showProblem(error.problem, [], () => button.click());
      }
    });
    return element('li', {}, button);
  });
  box.append(element('p', {}, words.samples(choices[0]?.length ?? 1)), element('ul', {}, ...items));
  box.hidden = false;
}
