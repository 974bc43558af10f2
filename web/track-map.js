// The map of a track: its path, where the camera is now, and the frame that is looked at.

import { addDots } from './dots.js';
import { find } from './dom.js';
import { beside, loadLeaflet, makeMap } from './leaflet.js';

/** @import { LocatedFrameReply, PositionReply } from './types.js' */

const FIRST_ZOOM = 18;

const L = await loadLeaflet();
const map = await makeMap(L, find('map', HTMLDivElement), { scrollWheelZoom: false });
// Layers need a view to be drawn in.
map.setView([0, 0], 1);
addDots(L, map);
const lines = L.featureGroup().addTo(map);
const here = L.circleMarker([0, 0], { radius: 7, className: 'now-dot', interactive: false });
const looked = L.circleMarker([0, 0], { radius: 11, className: 'chosen-dot', interactive: false });
/** @type {any} */
let line = null;

/**
 * Lengthen the path; it is broken where the camera was off the known places.
 * @param {LocatedFrameReply} located
 */
export function addToPath({ known, position }) {
  if (!known || !position) {
    line = null;
    here.remove();
    return;
  }
  const point = pointOf(position);
  const first = !lines.getLayers().length;
  line ??= L.polyline([], { className: 'path', interactive: false }).addTo(lines);
  line.addLatLng(point);
  here.setLatLng(point).addTo(map);
  if (first) {
    map.invalidateSize();
    map.setView(point, FIRST_ZOOM, { animate: false });
  } else if (!map.getBounds().pad(-0.1).contains(point)) {
    map.fitBounds(lines.getBounds().pad(0.15), { maxZoom: FIRST_ZOOM, animate: false });
  }
}

/** @param {LocatedFrameReply} located */
export function lookAt({ known, position }) {
  if (known && position) looked.setLatLng(pointOf(position)).addTo(map);
  else looked.remove();
}

export function clearPath() {
  lines.clearLayers();
  line = null;
  here.remove();
  looked.remove();
}

/** @param {PositionReply} position */
function pointOf({ latitude, longitude }) {
  return [latitude, beside(longitude, map.getCenter().lng)];
}
