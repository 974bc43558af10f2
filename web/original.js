// A place's photo as it was taken, over its thumbnail while it comes.

import { MOST_OF_A_PHOTO, photoSized, showPicture } from './api.js';
import { element } from './dom.js';
import { hasKey } from './key.js';

/** @import { PlaceReply } from './types.js' */

/**
 * The original photo, or its thumbnail where it is gone.
 * @param {PlaceReply} place
 * @param {() => void} onGone
 * @param {number} [side] the longer one that it is shown with; without it all pixels are, for a closer look
 */
export function originalOf(place, onGone, side = MOST_OF_A_PHOTO) {
  const image = element('img', { alt: place.name });
  if (!hasKey()) image.style.setProperty('background-image', `url("${encodeURI(place.thumbnail_url)}")`);
  image.addEventListener('load', () => image.style.removeProperty('background-image'));
  image.addEventListener(
    'error',
    () => {
      image.style.removeProperty('background-image');
      void showPicture(image, place.thumbnail_url);
      onGone();
    },
    { once: true },
  );
  void showPicture(image, photoSized(place, side));
  return image;
}
