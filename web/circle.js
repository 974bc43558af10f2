// Drawing a circle on the map: by pointer, or by radius around the map's middle.

import { find } from './dom.js';
import { beside } from './leaflet.js';
import { words } from './words.js';

/** @import { Leaflet } from './leaflet.js' */
/** @import { Area } from './page-types.js' */

const SMALLEST_M = 1;

/**
 * @param {Leaflet} L
 * @param {any} map
 * @param {(area: Area | null) => void} onArea told whenever the circle changes
 */
export function circleTool(L, map, onArea) {
  const button = find('draw', HTMLButtonElement);
  const radius = find('radius', HTMLInputElement);
  const how = find('draw-how', HTMLParagraphElement);
  const shape = L.circle([0, 0], { radius: 1, className: 'search-circle', interactive: false });
  let drawing = false;
  /** @type {any} */
  let centre = null;

  /** @param {boolean} on */
  const draw = (on) => {
    drawing = on;
    button.setAttribute('aria-pressed', `${on}`);
    map.getContainer().classList.toggle('drawing', on);
    if (on) map.dragging.disable();
    else map.dragging.enable();
    how.textContent = on ? words.drawHow : '';
    if (on) map.getContainer().scrollIntoView({ block: 'nearest' });
  };

  /** @param {Area | null} area */
  const set = (area) => {
    if (area) {
      shape.setLatLng([area.latitude, beside(area.longitude, map.getCenter().lng)]).setRadius(area.radius_m).addTo(map);
      radius.value = `${area.radius_m}`;
    } else {
      shape.remove();
    }
    onArea(area);
  };

  /** @param {any} point */
  const around = (point, /** @type {number} */ metres) => {
    const { lat, lng } = point.wrap();
    const precise = (/** @type {number} */ degrees) => Number(degrees.toFixed(6));
    set({ latitude: precise(lat), longitude: precise(lng), radius_m: Math.max(SMALLEST_M, Number(metres.toPrecision(3))) });
  };

  button.addEventListener('click', () => draw(!drawing));
  // Pointer events of the box itself: Leaflet's own know no touch.
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
    around(centre, map.distance(centre, map.mouseEventToLatLng(event)));
    centre = null;
    // The click that follows must not pick a place.
    setTimeout(() => draw(false));
  });
  box.addEventListener('pointercancel', () => {
    centre = null;
  });
  find('circle', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    around(map.getCenter(), Number(radius.value));
  });
  return { set, drawing: () => drawing };
}
