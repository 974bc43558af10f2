// Numbers and names as the page shows them.

/** @import { PlaceReply, PositionReply } from './types.js' */

// As the server: from here on the same place is likelier than another one.
export const UNSURE_FROM = 0.5;

const EARTH_RADIUS_M = 6371008.8;

/** @param {number} similarity */
export function formatSimilarity(similarity) {
  return similarity.toFixed(3).replace('-', '−');
}

/**
 * Latitude and longitude to about a metre, as maps take them.
 * @param {PositionReply} position
 */
export function formatPosition({ latitude, longitude }) {
  return `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
}

/**
 * A place's name in two: the photo with its folder, which often names the place, and the rest.
 * @param {Pick<PlaceReply, 'name'>} place
 */
export function splitName({ name }) {
  const parts = name.split('/');
  return { leaf: parts.slice(-2).join('/'), folder: parts.slice(0, -2).join('/') };
}

/**
 * Metres between two points, along a great circle.
 * @param {PositionReply} one
 * @param {PositionReply} other
 */
export function distanceM(one, other) {
  const radians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;
  const chord =
    Math.sin(radians(other.latitude - one.latitude) / 2) ** 2 +
    Math.cos(radians(one.latitude)) *
      Math.cos(radians(other.latitude)) *
      Math.sin(radians(other.longitude - one.longitude) / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(chord));
}

/**
 * A share in per cent, rounded down so that none seems to reach a threshold that it does not.
 * @param {number} share
 * @param {string} most what is said of more than 99 %
 * @param {string} least what is said of less than 1 %
 */
export function percentage(share, most, least) {
  if (share > 0.99) return most;
  if (share < 0.01) return least;
  return `${Math.floor(share * 100 + 1e-6)}%`;
}
