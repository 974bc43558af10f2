// Numbers and names as the page shows them.

/** @import { Position, Result } from './types.js' */

/** @param {number} similarity */
export function formatSimilarity(similarity) {
  return similarity.toFixed(3).replace('-', '−');
}

/**
 * Latitude and longitude to about a metre, as maps take them.
 * @param {Position} position
 */
export function formatPosition({ latitude, longitude }) {
  return `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
}

/**
 * A place's name in two: the photo with its folder, which often names the place, and the rest.
 * @param {Result} result
 */
export function splitName({ name }) {
  const parts = name.split('/');
  return { leaf: parts.slice(-2).join('/'), folder: parts.slice(0, -2).join('/') };
}
