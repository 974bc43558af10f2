// A place's photo, with its thumbnail behind it until the photo is loaded.

import { MAX_PHOTO_SIDE, photoAddress, showPicture } from './api.js';
import { element } from './dom.js';
import { hasKey } from './key.js';

/** @import { PlaceReply } from './types.js' */

/**
 * The original photo, or its thumbnail where the server has lost the photo.
 * @param {PlaceReply} place
 * @param {() => void} onMissing called where the photo is lost
 * @param {number} [side] the longer side, in CSS pixels
 */
export function originalOf(place, onMissing, side = MAX_PHOTO_SIDE) {
  const image = element('img', { alt: place.name });
  if (!hasKey()) image.style.setProperty('background-image', `url("${encodeURI(place.thumbnail_url)}")`);
  image.addEventListener('load', () => image.style.removeProperty('background-image'));
  image.addEventListener(
    'error',
    () => {
      image.style.removeProperty('background-image');
      void showPicture(image, place.thumbnail_url);
      onMissing();
    },
    { once: true },
  );
  void showPicture(image, photoAddress(place, side));
  return image;
}
