// The places of the index as dots on a map: one canvas, filled from the server box by box.

import { ApiError, readDots } from './api.js';
import { BUTTONS_PX, nearestCopy } from './leaflet.js';
import { serverReady } from './server.js';

/** @import { Leaflet } from './leaflet.js' */
/** @import { DotReply } from './types.js' */

/** The share of the map's size that is drawn beyond each of its edges, for the next pan. */
const MARGIN = 0.5;
/** Pixels from a dot within which a click chooses it. */
const CLICK_RADIUS_PX = 14;
/** The least pixels between two lines of the graticule. */
const GRATICULE_PX = 120;
/** HTTP statuses after which the dots are requested again. */
const TRANSIENT_STATUSES = [0, 429, 503];

/**
 * @param {Leaflet} L
 * @param {any} map
 * @param {{onDots?: (dots: DotReply[]) => void, onPick?: (dot: DotReply) => void}} [handlers]
 */
export function addDots(L, map, { onDots, onPick } = {}) {
  const canvas = document.createElement('canvas');
  canvas.className = 'dots leaflet-zoom-animated';
  canvas.setAttribute('aria-hidden', 'true');
  map.getPanes().overlayPane.prepend(canvas);
  /** @type {DotReply[]} */
  let dots = [];
  let abortController = new AbortController();
  let corner = map.getCenter();

  const draw = () => {
    const size = map.getSize();
    const pad = size.multiplyBy(MARGIN).round();
    const scale = devicePixelRatio;
    canvas.width = Math.round((size.x + 2 * pad.x) * scale);
    canvas.height = Math.round((size.y + 2 * pad.y) * scale);
    canvas.style.width = `${size.x + 2 * pad.x}px`;
    canvas.style.height = `${size.y + 2 * pad.y}px`;
    const origin = map.containerPointToLayerPoint(pad.multiplyBy(-1));
    L.DomUtil.setPosition(canvas, origin);
    corner = map.layerPointToLatLng(origin);
    const context = canvas.getContext('2d');
    if (!context) return;
    context.scale(scale, scale);
    const { color, borderColor, outlineColor } = getComputedStyle(canvas);
    if (!map.options.ground) drawGraticule(map, context, pad, borderColor);
    context.fillStyle = color;
    context.strokeStyle = outlineColor;
    context.beginPath();
    for (const { geometry, properties } of dots) {
      const [longitude, latitude] = geometry.coordinates;
      const { x, y } = map.latLngToLayerPoint([latitude, longitude]).subtract(origin);
      const radius = Math.min(3.5 + Math.log2(properties.count) / 2, 7);
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 7);
    }
    // An outline sets dots off from the ground.
    context.lineWidth = 1.5;
    context.stroke();
    context.globalAlpha = 0.8;
    context.fill();
  };

  const load = async () => {
    draw();
    abortController.abort();
    abortController = new AbortController();
    const bounds = map.getBounds().pad(MARGIN);
    // A box wider than the world is the whole world.
    const isWholeWorld = bounds.getEast() - bounds.getWest() >= 360;
    const normalised = (/** @type {number} */ degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
    const clamp = (/** @type {number} */ degrees) => Math.min(90, Math.max(-90, degrees));
    try {
      const { features } = await readDots(
        [
          isWholeWorld ? -180 : normalised(bounds.getWest()),
          clamp(bounds.getSouth()),
          isWholeWorld ? 180 : normalised(bounds.getEast()),
          clamp(bounds.getNorth()),
        ],
        abortController.signal,
      );
      const { lng: middle } = map.getCenter();
      for (const { geometry: { coordinates } } of features) coordinates[0] = nearestCopy(coordinates[0], middle);
      dots = features;
      draw();
      onDots?.(dots);
    } catch (error) {
      // The drawn dots stay. The head of the page shows that the server does not answer.
      const isTransient = error instanceof ApiError && TRANSIENT_STATUSES.includes(error.problem.status);
      if (isTransient) void serverReady(1000).then(load);
    }
  };

  map.on('moveend', load);
  map.on('resize', draw);
  map.on('zoomanim', (/** @type {any} */ { zoom, center }) => {
    L.DomUtil.setTransform(canvas, map._latLngToNewLayerPoint(corner, zoom, center), map.getZoomScale(zoom));
  });
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  map.on('click', (/** @type {any} */ { containerPoint }) => {
    const nearest = dots
      .map((dot) => {
        const [longitude, latitude] = dot.geometry.coordinates;
        return { dot, distance: map.latLngToContainerPoint([latitude, longitude]).distanceTo(containerPoint) };
      })
      .filter(({ distance }) => distance <= CLICK_RADIUS_PX)
      .sort((a, b) => a.distance - b.distance)[0];
    if (nearest) onPick?.(nearest.dot);
  });
  if (map._loaded) void load();
}

/**
 * Show all dots at once.
 * @param {Leaflet} L
 * @param {any} map
 * @param {DotReply[]} dots
 */
export function fitDots(L, map, dots) {
  map.fitBounds(L.latLngBounds(pointsOf(dots)).pad(0.1), { maxZoom: 17, paddingTopLeft: [BUTTONS_PX, 0], animate: false });
}

/**
 * Latitudes and longitudes of dots, side by side even across the date line. Where two neighbouring
 * longitudes are over 180° apart, the dots west of that gap lie on the next copy of the world.
 * @param {DotReply[]} dots
 */
function pointsOf(dots) {
  const longitudes = dots.map(({ geometry: { coordinates } }) => coordinates[0]).sort((a, b) => a - b);
  const first = longitudes.find((longitude, at) => longitude - (longitudes[at - 1] ?? longitude) > 180) ?? -180;
  return dots.map(({ geometry: { coordinates } }) => [coordinates[1], coordinates[0] + (coordinates[0] < first ? 360 : 0)]);
}

/**
 * Draw lines of latitude and longitude at round degrees: without tiles, they show the position.
 * @param {any} map
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number}} pad
 * @param {string} colour
 */
function drawGraticule(map, context, pad, colour) {
  const size = map.getSize();
  const { lat: middle } = map.getCenter();
  const perPixel = (map.containerPointToLatLng([size.x, 0]).lng - map.containerPointToLatLng([0, 0]).lng) / size.x;
  const minStep = perPixel * GRATICULE_PX;
  const power = 10 ** Math.floor(Math.log10(minStep));
  const step = Math.min(30, power * ([1, 2, 5].find((digit) => digit * power >= minStep) ?? 10));
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  const bounds = map.getBounds().pad(MARGIN);
  const canvasPoint = (/** @type {number} */ latitude, /** @type {number} */ longitude) => {
    const point = map.latLngToContainerPoint([latitude, longitude]);
    return { x: Math.round(point.x + pad.x) + 0.5, y: Math.round(point.y + pad.y) + 0.5 };
  };
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.font = '11px sans-serif';
  context.lineWidth = 1;
  context.globalAlpha = 0.22;
  context.beginPath();
  /** @type {[string, number, number][]} */
  const labels = [];
  for (let n = Math.ceil(bounds.getWest() / step); n * step <= bounds.getEast(); n++) {
    const { x } = canvasPoint(middle, n * step);
    context.moveTo(x, 0);
    context.lineTo(x, context.canvas.height);
    const longitude = ((((n * step + 180) % 360) + 360) % 360) - 180;
    // The zoom buttons would cover the label.
    if (x - pad.x > BUTTONS_PX) labels.push([`${longitude.toFixed(digits)}°`, x + 4, pad.y + 14]);
  }
  const top = Math.min(85, bounds.getNorth());
  for (let n = Math.ceil(Math.max(-85, bounds.getSouth()) / step); n * step <= top; n++) {
    const { y } = canvasPoint(n * step, 0);
    context.moveTo(0, y);
    context.lineTo(context.canvas.width, y);
    labels.push([`${(n * step).toFixed(digits)}°`, pad.x + size.x - 8, y - 4]);
  }
  context.stroke();
  context.globalAlpha = 1;
  for (const [text, x, y] of labels) {
    context.textAlign = y === pad.y + 14 ? 'left' : 'right';
    context.fillText(text, x, y);
  }
}
