// The state of the search page in its address: all of a search but its photo.

/** @import { Area, Part, Settings } from './page-types.js' */

/**
 * @typedef {object} Address
 * @property {Settings} settings
 * @property {number | null} of id of the place whose photo is searched with
 * @property {number | null} place id of the place in the viewer
 */

const DEFAULT_K = 10;
/** The parameters of POST /v1/search that filter places. */
export const FILTERS = /** @type {const} */ (['folder', 'tag', 'taken_from', 'taken_to']);

/**
 * @param {string} search the part of the address after "?"
 * @returns {Address}
 */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const k = Number(query.get('k'));
  return {
    settings: {
      k: Number.isInteger(k) && k >= 1 && k <= 100 ? k : DEFAULT_K,
      verify: query.get('verify') !== 'false',
      area: readArea(query),
      box: readBox(query.get('box')),
      only: Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? '']).filter(([, value]) => value)),
    },
    of: wholeNumber(query.get('of')),
    place: wholeNumber(query.get('place')),
  };
}

/** @param {Address} address */
export function writeAddress({ settings: { k, verify, area, box, only }, of, place }) {
  const query = new URLSearchParams();
  if (k !== DEFAULT_K) query.set('k', `${k}`);
  if (!verify) query.set('verify', 'false');
  if (area) {
    query.set('near', `${area.latitude},${area.longitude}`);
    query.set('radius_m', `${area.radius_m}`);
  }
  if (box) query.set('box', `${box}`);
  for (const [name, value] of Object.entries(only)) query.set(name, value);
  if (of !== null) query.set('of', `${of}`);
  if (place !== null) query.set('place', `${place}`);
  const text = query.toString().replaceAll('%2C', ',');
  return `./${text && `?${text}`}`;
}

/**
 * @param {URLSearchParams} query
 * @returns {Area | null}
 */
function readArea(query) {
  const [latitude = NaN, longitude = NaN] = (query.get('near') ?? '').split(',').map(parseFloat);
  const radius = Number(query.get('radius_m'));
  const onEarth = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return onEarth && radius > 0 && Number.isFinite(radius) ? { latitude, longitude, radius_m: radius } : null;
}

/**
 * @param {string | null} text
 * @returns {Part | null}
 */
function readBox(text) {
  if (!/^\d{1,5}(,\d{1,5}){3}$/.test(text ?? '')) return null;
  return /** @type {Part} */ (text?.split(',').map(Number));
}

/** @param {string | null} text */
function wholeNumber(text) {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
