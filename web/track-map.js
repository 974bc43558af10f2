// The map of a track: its path, the camera's position now, and the selected frame's.

import { addDots, fitDots } from './dots.js';
import { find } from './dom.js';
import { BUTTONS_PX, loadLeaflet, makeMap, nearestCopy } from './leaflet.js';

/** @import { LocatedFrameReply, PositionReply } from './types.js' */

const FIRST_ZOOM = 18;

const L = await loadLeaflet();
const map = await makeMap(L, find('map', HTMLDivElement), { scrollWheelZoom: false });
// Leaflet draws layers only once the map has a view.
map.setView([0, 0], 1);
const lines = L.featureGroup().addTo(map);
let isFirstView = true;
// Until a frame is found, the map shows all places.
addDots(L, map, {
  onDots: (dots) => {
    if (isFirstView && dots.length) fitDots(L, map, dots);
    isFirstView = false;
  },
});
const cameraDot = L.circleMarker([0, 0], { radius: 7, className: 'now-dot', interactive: false });
const selectedDot = L.circleMarker([0, 0], { radius: 11, className: 'chosen-dot', interactive: false });
/** @type {any} */
let line = null;

/**
 * Add a frame to the path, which has a gap where the camera was off the indexed places.
 * @param {LocatedFrameReply} located
 */
export function addToPath({ known, position }) {
  if (!known || !position) {
    endLine();
    return;
  }
  const point = pointOf(position);
  const first = !lines.getLayers().length;
  isFirstView = false;
  line ??= L.polyline([], { className: 'path', interactive: false }).addTo(lines);
  line.addLatLng(point);
  cameraDot.setLatLng(point).addTo(map);
  if (first) {
    map.invalidateSize();
    map.setView(point, FIRST_ZOOM, { animate: false });
  } else if (!map.getBounds().pad(-0.1).contains(point)) {
    map.fitBounds(lines.getBounds().pad(0.15), { maxZoom: FIRST_ZOOM, paddingTopLeft: [BUTTONS_PX, 0], animate: false });
  }
}

/** @param {LocatedFrameReply} located */
export function showSelected({ known, position }) {
  if (known && position) selectedDot.setLatLng(pointOf(position)).addTo(map);
  else selectedDot.remove();
}

/** Let the next frame begin a line of its own. */
export function endLine() {
  line = null;
  cameraDot.remove();
}

export function clearPath() {
  lines.clearLayers();
  endLine();
  selectedDot.remove();
}

/** @param {PositionReply} position */
function pointOf({ latitude, longitude }) {
  return [latitude, nearestCopy(longitude, map.getCenter().lng)];
}
