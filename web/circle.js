// The tool that draws a circle on the map, by pointer or by a radius around the map's centre.

import { find } from './dom.js';
import { nearestCopy } from './leaflet.js';
import { words } from './words.js';

/** @import { Leaflet } from './leaflet.js' */
/** @import { Area } from './page-types.js' */

const MIN_RADIUS_M = 1;

/**
 * @param {Leaflet} L
 * @param {any} map
 * @param {(area: Area | null) => void} onArea called whenever the circle changes
 */
export function circleTool(L, map, onArea) {
  const button = find('draw', HTMLButtonElement);
  const radius = find('radius', HTMLInputElement);
  const instructions = find('draw-how', HTMLParagraphElement);
  const shape = L.circle([0, 0], { radius: 1, className: 'search-circle', interactive: false });
  let drawing = false;
  /** @type {any} */
  let centre = null;

  /** @param {boolean} on */
  const setDrawing = (on) => {
    drawing = on;
    button.setAttribute('aria-pressed', `${on}`);
    map.getContainer().classList.toggle('drawing', on);
    if (on) map.dragging.disable();
    else map.dragging.enable();
    instructions.textContent = on ? words.drawHow : '';
    if (on) map.getContainer().scrollIntoView({ block: 'nearest' });
  };

  /** @param {Area | null} area */
  const setArea = (area) => {
    if (area) {
      shape.setLatLng([area.latitude, nearestCopy(area.longitude, map.getCenter().lng)]).setRadius(area.radius_m).addTo(map);
      radius.value = `${area.radius_m}`;
    } else {
      shape.remove();
    }
    onArea(area);
  };

  /** @param {any} point */
  const setCircle = (point, /** @type {number} */ metres) => {
    const { lat, lng } = point.wrap();
    const rounded = (/** @type {number} */ degrees) => Number(degrees.toFixed(6));
    setArea({ latitude: rounded(lat), longitude: rounded(lng), radius_m: Math.max(MIN_RADIUS_M, Number(metres.toPrecision(3))) });
  };

  button.addEventListener('click', () => setDrawing(!drawing));
  // Pointer events of the element, because Leaflet's events do not cover touch.
  const box = map.getContainer();
  box.addEventListener('pointerdown', (/** @type {PointerEvent} */ event) => {
    if (!drawing || (event.target instanceof Element && event.target.closest('.leaflet-control'))) return;
    centre = map.mouseEventToLatLng(event);
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener('pointermove', (/** @type {PointerEvent} */ event) => {
    if (!centre) return;
    shape.setLatLng(centre).setRadius(map.distance(centre, map.mouseEventToLatLng(event))).addTo(map);
  });
  box.addEventListener('pointerup', (/** @type {PointerEvent} */ event) => {
    if (!centre) return;
    setCircle(centre, map.distance(centre, map.mouseEventToLatLng(event)));
    centre = null;
    // Drawing ends after the click that follows, which must not choose a place.
    setTimeout(() => setDrawing(false));
  });
  box.addEventListener('pointercancel', () => {
    centre = null;
  });
  find('circle', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    setCircle(map.getCenter(), Number(radius.value));
  });
  return { setArea, isDrawing: () => drawing };
}
