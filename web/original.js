// A place's photo as it was taken, over its thumbnail while it comes.

import { showPicture } from './api.js';
import { element } from './dom.js';
import { hasKey } from './key.js';

/** @import { PlaceReply } from './types.js' */

/**
 * The original photo, or its thumbnail where it is gone.
 * @param {PlaceReply} place
 * @param {() => void} onGone
 */
export function originalOf(place, onGone) {
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
  void showPicture(image, place.image_url);
  return image;
}
