// The map beside the results: a pin for each candidate, and the estimate.

import { addDots } from './dots.js';
import { find } from './dom.js';
import { distanceM } from './format.js';
import { BUTTONS_PX, estimateOf, loadLeaflet, makeMap, nearestCopy, pin } from './leaflet.js';
import { words } from './words.js';

/** @import { LocationReply, ResultReply } from './types.js' */

const CLOSEST_ZOOM = 18;
const NEAR_M = 1000;

const box = find('map-box', HTMLElement);
const large = find('large-map', HTMLAnchorElement);

/** @type {Promise<{L: any, map: any, pins: any} | null> | null} */
let loading = null;

/**
 * Show results on the map; hide the map where no result has a position.
 * @param {ResultReply[]} results the candidates for the photo's place
 * @param {LocationReply | null} location the estimate
 * @param {(result: ResultReply) => void} open
 */
export async function showResultMap(results, location, open) {
  const placed = results.filter(({ position }) => position);
  const centre = location ?? placed[0]?.position;
  box.hidden = !centre;
  if (!centre) return;
  loading ??= load();
  const loaded = await loading;
  if (!loaded) return;
  const { L, map, pins } = loaded;
  map.invalidateSize();
  pins.clearLayers();
  for (const result of placed) {
    if (!result.position) continue;
    const { latitude, longitude } = result.position;
    pin(L, { latitude, longitude: nearestCopy(longitude, centre.longitude) }, result.rank, words.pinOf(result.rank, result.name))
      .on('click', () => open(result))
      .on('keypress', (/** @type {any} */ { originalEvent }) => originalEvent.key === 'Enter' && open(result))
      .addTo(pins);
  }
  if (location) estimateOf(L, location).addTo(pins);
  const bounds = pins.getLayers().filter(isNear(centre)).reduce(
    (/** @type {any} */ all, /** @type {any} */ layer) => all.extend(layer.getBounds?.() ?? layer.getLatLng()),
    L.latLngBounds([]),
  );
  map.fitBounds(bounds.pad(0.15), { maxZoom: CLOSEST_ZOOM, paddingTopLeft: [BUTTONS_PX, 0], animate: false });
  const { lat, lng } = map.getCenter();
  large.href = `map?at=${lat.toFixed(6)},${lng.toFixed(6)},${map.getZoom()}`;
}

/**
 * Whether a layer lies near the place where the photo probably was taken. The map zooms to such
 * layers, wherever in the world other results are.
 * @param {{latitude: number, longitude: number, radius_m?: number}} centre
 */
function isNear(centre) {
  return (/** @type {any} */ layer) => {
    const { lat: latitude, lng: longitude } = layer.getLatLng();
    return distanceM(centre, { latitude, longitude }) <= Math.max(NEAR_M, 5 * (centre.radius_m ?? 0));
  };
}

async function load() {
  // Beside the results, the style sheet puts the map below the photo searched with.
  const query = find('query', HTMLElement);
  new ResizeObserver(() => document.body.style.setProperty('--query-height', `${query.offsetHeight}px`)).observe(query);
  const L = await loadLeaflet();
  if (!L) {
    box.hidden = true;
    return (loading = null);
  }
  const map = await makeMap(L, find('map', HTMLDivElement), { scrollWheelZoom: false });
  // Leaflet draws layers only once the map has a view.
  map.setView([0, 0], 1);
  addDots(L, map);
  return { L, map, pins: L.featureGroup().addTo(map) };
}
