// Leaflet, served by this server from its own package, and the ground of every map here.

import { element } from './dom.js';
import { served } from './served.js';
import { words } from './words.js';

/** @typedef {any} Leaflet the library comes without types */

/** @type {Promise<Leaflet | null> | null} */
let loading = null;

/**
 * Load Leaflet when a map is first needed: most searches need none. Null where it does not come; the
 * next call asks again.
 */
export function loadLeaflet() {
  loading ??= load().catch(() => (loading = null));
  return loading;
}

async function load() {
  // Before our own sheets, so that those win.
  await added(element('link', { rel: 'stylesheet', href: 'vendor/leaflet/leaflet.css' }), (style) => document.head.prepend(style));
  await added(element('script', { src: 'vendor/leaflet/leaflet.js' }), (script) => document.head.append(script));
  return /** @type {Leaflet} */ (window)['L'];
}

/**
 * @param {HTMLElement} part
 * @param {(part: HTMLElement) => void} add
 */
function added(part, add) {
  return new Promise((resolve, reject) => {
    part.addEventListener('load', resolve);
    part.addEventListener('error', reject);
    add(part);
  });
}

/**
 * A map with a scale bar, and with tiles only where the server was given an address or a file of them.
 * @param {Leaflet} L
 * @param {HTMLElement} box
 * @param {Record<string, unknown>} [options]
 * @returns {Promise<any>} with the option `ground` where there are tiles
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
  const { tiles } = await served;
  if (tiles) {
    const { bounds, min_zoom: minNativeZoom = 0, max_zoom: maxNativeZoom = 19 } = tiles;
    map.options.ground = true;
    // Below the path that a proxy may show the server at.
    const url = tiles.url.replace(/^\//, new URL('.', location.href).pathname);
    L.tileLayer(url, { maxZoom: 22, bounds, minNativeZoom, maxNativeZoom }).addTo(map);
    if (tiles.attribution) L.control.attribution({ prefix: false }).addAttribution(element('span', {}, tiles.attribution).innerHTML).addTo(map);
  }
  return map;
}

/**
 * A longitude on that copy of the world on which another one lies: maps go on beyond the date line.
 * @param {number} longitude
 * @param {number} other
 */
export const beside = (longitude, other) => longitude + 360 * Math.round((other - longitude) / 360);

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
  // A button is called by what stands in it, which is a number alone.
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
