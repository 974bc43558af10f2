// The map of a place's page: its pin among the other places, to be dragged by who may.

import { addDots } from './dots.js';
import { element, find } from './dom.js';
import { beside, loadLeaflet, makeMap } from './leaflet.js';
import { placeWords } from './place-words.js';

/** @import { PlaceDetailsReply, PositionReply } from './types.js' */

const CLOSE = 17;
const box = find('map', HTMLDivElement);

/** @type {Promise<{L: any, map: any} | null> | null} */
let making = null;
/** @type {any} */
let pin = null;
let title = '';
let movable = false;
/** @type {((position: PositionReply) => void) | null} */
let onMoved = null;

/**
 * Show where a place is; a place without a position has a map only where it can be given one.
 * @param {PlaceDetailsReply} place
 * @param {boolean} mayMove
 */
export async function showPlaceMap({ name, position }, mayMove) {
  box.hidden = !position && !mayMove;
  if (box.hidden) return;
  find('map-how', HTMLParagraphElement).textContent = !mayMove ? placeWords.noMoveHow : position ? placeWords.moveHow : placeWords.putHow;
  title = placeWords.pin(name);
  movable = mayMove;
  making ??= make(position);
  const made = await making;
  if (!made) return;
  const { L, map } = made;
  if (position) put(L, map, position);
  else pin?.remove();
}

/** @param {(position: PositionReply) => void} told of each move by hand */
export function whenMoved(told) {
  onMoved = told;
}

/**
 * Show a position that was typed.
 * @param {PositionReply} position
 */
export async function movePin({ latitude, longitude }) {
  const made = await making;
  if (!made) return;
  const { L, map } = made;
  put(L, map, { latitude, longitude });
  map.panTo(pin.getLatLng(), { animate: false });
}

/**
 * @param {any} L
 * @param {any} map
 * @param {PositionReply} position
 */
function put(L, map, { latitude, longitude }) {
  pin?.remove();
  const icon = L.divIcon({ className: 'place-pin first', html: element('span', {}, '●').outerHTML, iconSize: [26, 26] });
  pin = L.marker([latitude, beside(longitude, map.getCenter().lng)], { title, alt: title, icon, draggable: movable, keyboard: false }).addTo(map);
  // What is typed below does the same, so that the pin need not be a stop of the keyboard.
  pin.getElement().setAttribute('aria-hidden', 'true');
  pin.on('dragend', () => {
    const { lat, lng } = pin.getLatLng().wrap();
    onMoved?.({ latitude: lat, longitude: lng });
  });
}

/** @param {PositionReply | null} position */
async function make(position) {
  const L = await loadLeaflet();
  if (!L) {
    box.hidden = true;
    find('map-how', HTMLParagraphElement).textContent = '';
    return (making = null);
  }
  const map = await makeMap(L, box, { scrollWheelZoom: false });
  if (position) map.setView([position.latitude, position.longitude], CLOSE);
  else map.setView([20, 0], 1);
  addDots(L, map);
  map.on('click', (/** @type {any} */ { latlng }) => {
    if (!movable) return;
    const { lat: latitude, lng: longitude } = latlng.wrap();
    put(L, map, { latitude, longitude });
    onMoved?.({ latitude, longitude });
  });
  return { L, map };
}
