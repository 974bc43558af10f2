// The small picture of a place.

import { showPicture } from './api.js';
import { imageOr } from './dom.js';
import { words } from './words.js';

/**
 * @param {string} address
 * @param {Record<string, string>} [attributes]
 */
export function thumbnail(address, attributes = {}) {
  const image = imageOr(words.noThumbnail, attributes);
  void showPicture(image, address);
  return image;
}
