// A place's photo, with its thumbnail behind it until the photo is loaded.

import { ApiError, MAX_PHOTO_SIDE, photoAddress, request, showPicture } from './api.js';
import { element } from './dom.js';
import { hasKey } from './key.js';
import { words } from './words.js';

/** @import { PlaceReply } from './types.js' */

/**
 * The original photo, or its thumbnail where the photo does not come.
 * @param {PlaceReply} place
 * @param {(why: string) => void} onMissing called where the photo does not come, while it is shown
 * @param {number} [side] the longer side, in CSS pixels
 */
export function originalOf(place, onMissing, side = MAX_PHOTO_SIDE) {
  const address = photoAddress(place, side);
  const image = element('img', { alt: place.name });
  if (!hasKey()) image.style.setProperty('background-image', `url("${encodeURI(place.thumbnail_url)}")`);
  image.addEventListener('load', () => image.style.removeProperty('background-image'));
  image.addEventListener(
    'error',
    async () => {
      image.style.removeProperty('background-image');
      void showPicture(image, place.thumbnail_url);
      const why = await whyMissing(address);
      if (image.isConnected) onMissing(why);
    },
    { once: true },
  );
  void showPicture(image, address);
  return image;
}

/**
 * Why a photo did not come, which the error of an image does not say: the server may have lost the
 * photo, or the page the server.
 * @param {string} address
 */
async function whyMissing(address) {
  try {
    await request(address, undefined, { method: 'HEAD' });
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 404) return words.originalGone;
  }
  return words.originalLater;
}
