// Leaflet, which this server serves from its own package, and what all maps share.

import { element } from './dom.js';
import { pageInfo } from './page-info.js';
import { words } from './words.js';

/** @typedef {any} Leaflet the library comes without types */

/** Pixels from a map's left edge that its zoom buttons cover. */
export const BUTTONS_PX = 48;

/** @type {Promise<Leaflet | null> | null} */
let loading = null;

/**
 * Load Leaflet when a page first needs a map: most searches need none. Null where loading fails;
 * the next call tries again.
 */
export function loadLeaflet() {
  loading ??= load().catch(() => (loading = null));
  return loading;
}

async function load() {
  // Leaflet's style sheet goes before the pages' own, whose rules must win.
  await inserted(element('link', { rel: 'stylesheet', href: 'vendor/leaflet/leaflet.css' }), (style) => document.head.prepend(style));
  await inserted(element('script', { src: 'vendor/leaflet/leaflet.js' }), (script) => document.head.append(script));
  return /** @type {Leaflet} */ (window)['L'];
}

/**
 * Insert an element, and wait until the browser has loaded its file.
 * @param {HTMLElement} part
 * @param {(part: HTMLElement) => void} insert
 */
function inserted(part, insert) {
  return new Promise((resolve, reject) => {
    part.addEventListener('load', resolve);
    part.addEventListener('error', reject);
    insert(part);
  });
}

/**
 * A map with a scale bar, and with tiles only where the server's settings name some.
 * @param {Leaflet} L
 * @param {HTMLElement} box
 * @param {Record<string, unknown>} [options]
 * @returns {Promise<any>} with the option `ground` where it shows tiles
 */
export async function makeMap(L, box, options = {}) {
  const map = L.map(box, {
    attributionControl: false,
    zoomControl: false,
    minZoom: 1,
    maxZoom: 22,
    ...options,
  });
  L.control.zoom({ zoomInTitle: words.zoomIn, zoomOutTitle: words.zoomOut }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
  const { tiles } = await pageInfo;
  if (tiles) {
    const { bounds, min_zoom: minNativeZoom = 0, max_zoom: maxNativeZoom = 19 } = tiles;
    map.options.ground = true;
    // A proxy may show the server below a path.
    const url = tiles.url.replace(/^\//, new URL('.', location.href).pathname);
    L.tileLayer(url, { maxZoom: 22, bounds, minNativeZoom, maxNativeZoom }).addTo(map);
    if (tiles.attribution) L.control.attribution({ prefix: false }).addAttribution(element('span', {}, tiles.attribution).innerHTML).addTo(map);
  }
  return map;
}

/**
 * A longitude on the copy of the world that is nearest to another longitude: maps go on beyond the
 * date line.
 * @param {number} longitude
 * @param {number} reference
 */
export const nearestCopy = (longitude, reference) => longitude + 360 * Math.round((reference - longitude) / 360);

/**
 * A pin with a rank on it.
 * @param {Leaflet} L
 * @param {{latitude: number, longitude: number}} position
 * @param {number} rank
 * @param {string} title
 */
export function pin(L, { latitude, longitude }, rank, title) {
  const icon = L.divIcon({ className: rank === 1 ? 'place-pin first' : 'place-pin', html: `${rank}`, iconSize: [26, 26] });
  const marker = L.marker([latitude, longitude], { title, zIndexOffset: -10 * rank, icon });
  // Without a label, screen readers would read the rank alone.
  return marker.on('add', () => marker.getElement().setAttribute('aria-label', title));
}

/**
 * The estimate of where a photo was taken, with its radius.
 * @param {Leaflet} L
 * @param {{latitude: number, longitude: number, radius_m: number}} location
 */
export function estimateOf(L, { latitude, longitude, radius_m }) {
  return L.circle([latitude, longitude], { radius: radius_m, className: 'estimate', interactive: false });
}
