// The map of a place's page: readers who may change the place drag its pin.

import { addDots } from './dots.js';
import { element, find } from './dom.js';
import { loadLeaflet, makeMap, nearestCopy } from './leaflet.js';
import { placeWords } from './place-words.js';

/** @import { PlaceDetailsReply, PositionReply } from './types.js' */

const CLOSE_ZOOM = 17;
const box = find('map', HTMLDivElement);

/** @type {Promise<{L: any, map: any} | null> | null} */
let loading = null;
/** @type {any} */
let pin = null;
let title = '';
let movable = false;
/** @type {((position: PositionReply) => void) | null} */
let onMoved = null;

/**
 * Show a place on the map; without a position, the map is shown only to readers who may set one.
 * @param {PlaceDetailsReply} place
 * @param {boolean} mayMove
 */
export async function showPlaceMap({ name, position }, mayMove) {
  box.hidden = !position && !mayMove;
  if (box.hidden) return;
  find('map-how', HTMLParagraphElement).textContent = !mayMove ? placeWords.noMoveHow : position ? placeWords.moveHow : placeWords.putHow;
  title = placeWords.pin(name);
  movable = mayMove;
  loading ??= load(position);
  const loaded = await loading;
  if (!loaded) return;
  const { L, map } = loaded;
  if (position) setPin(L, map, position);
  else pin?.remove();
}

/**
 * Call back with the new position whenever the reader moves the pin.
 * @param {(position: PositionReply) => void} call
 */
export function whenMoved(call) {
  onMoved = call;
}

/**
 * Move the pin to a position that the reader typed.
 * @param {PositionReply} position
 */
export async function movePin({ latitude, longitude }) {
  const loaded = await loading;
  if (!loaded) return;
  const { L, map } = loaded;
  setPin(L, map, { latitude, longitude });
  map.panTo(pin.getLatLng(), { animate: false });
}

/**
 * @param {any} L
 * @param {any} map
 * @param {PositionReply} position
 */
function setPin(L, map, { latitude, longitude }) {
  pin?.remove();
  const icon = L.divIcon({ className: 'place-pin first', html: element('span', {}, '●').outerHTML, iconSize: [26, 26] });
  pin = L.marker([latitude, nearestCopy(longitude, map.getCenter().lng)], { title, alt: title, icon, draggable: movable, keyboard: false }).addTo(map);
  // Keyboards skip the pin, as the form below takes a position too.
  pin.getElement().setAttribute('aria-hidden', 'true');
  pin.on('dragend', () => {
    const { lat, lng } = pin.getLatLng().wrap();
    onMoved?.({ latitude: lat, longitude: lng });
  });
}

/** @param {PositionReply | null} position */
async function load(position) {
  const L = await loadLeaflet();
  if (!L) {
    box.hidden = true;
    find('map-how', HTMLParagraphElement).textContent = '';
    return (loading = null);
  }
  const map = await makeMap(L, box, { scrollWheelZoom: false });
  if (position) map.setView([position.latitude, position.longitude], CLOSE_ZOOM);
  else map.setView([20, 0], 1);
  addDots(L, map);
  map.on('click', (/** @type {any} */ { latlng }) => {
    if (!movable) return;
    const { lat: latitude, lng: longitude } = latlng.wrap();
    setPin(L, map, { latitude, longitude });
    onMoved?.({ latitude, longitude });
  });
  return { L, map };
}
