// Numbers and names as the pages show them.

/** @import { PlaceReply, PositionReply } from './types.js' */

/** The probability from which the same place is likelier than another, as on the server. */
export const UNSURE_FROM = 0.5;

const EARTH_RADIUS_M = 6371008.8;

/** @param {number} similarity */
export function formatSimilarity(similarity) {
  return similarity.toFixed(3).replace('-', '−');
}

/** A direction as whole degrees from north: 359.9 is 0. @param {number} heading degrees from north */
export function wholeDegrees(heading) {
  return Math.round(heading) % 360;
}

/**
 * Latitude and longitude, rounded to about a metre, in the form that maps accept.
 * @param {PositionReply} position
 */
export function formatPosition({ latitude, longitude }) {
  return `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
}

/**
 * A place's name in two parts: `leaf`, the file with its folder, which often names the place, and
 * `folder`, the folders above.
 * @param {Pick<PlaceReply, 'name'>} place
 */
export function splitName({ name }) {
  const parts = name.split('/');
  return { leaf: parts.slice(-2).join('/'), folder: parts.slice(0, -2).join('/') };
}

/**
 * Metres between two points, along a great circle.
 * @param {PositionReply} a
 * @param {PositionReply} b
 */
export function distanceM(a, b) {
  const radians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;
  const chord =
    Math.sin(radians(b.latitude - a.latitude) / 2) ** 2 +
    Math.cos(radians(a.latitude)) *
      Math.cos(radians(b.latitude)) *
      Math.sin(radians(b.longitude - a.longitude) / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(chord));
}

/**
 * A share in per cent, rounded down: a share below a threshold must not look as if it reached it.
 * @param {number} share
 * @param {string} over99 the words for more than 99 %
 * @param {string} under1 the words for less than 1 %
 */
export function percentage(share, over99, under1) {
  if (share > 0.99) return over99;
  if (share < 0.01) return under1;
  return `${Math.floor(share * 100 + 1e-6)}%`;
}
