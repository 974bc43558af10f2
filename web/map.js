// The map page: all places as dots, the place that is chosen, and a circle to search in.

import { ApiError, connectionLost, readDots, readPlace } from './api.js';
import { readAddress, writeAddress } from './address.js';
import { circleTool } from './circle.js';
import { positionButton } from './copy.js';
import { announce, element, find } from './dom.js';
import { addDots, fitDots } from './dots.js';
import { distanceM, splitName } from './format.js';
import { loadLeaflet, makeMap, nearestCopy } from './leaflet.js';
import { sendWithRetries } from './retry.js';
import { currentIndex, serverReady } from './server.js';
import { thumbnail } from './thumbnail.js';
import { words } from './words.js';

/** @import { Area } from './page-types.js' */
/** @import { DotReply, PlaceReply } from './types.js' */

const MAX_LISTED = 30;
const WORLD = /** @type {[number, number, number, number]} */ ([-180, -90, 180, 90]);

const note = find('map-note', HTMLParagraphElement);
const chosen = find('chosen', HTMLDivElement);
const list = find('in-view-list', HTMLOListElement);
const circleActions = find('circle-actions', HTMLParagraphElement);

const query = new URLSearchParams(location.search);
let placeRequest = new AbortController();
/** @type {{at: string | null, place: number | null, area: Area | null}} */
const state = { at: query.get('at'), ...placeAndArea(location.search) };

/** @param {string} search the part of the address after "?" */
function placeAndArea(search) {
  const { place, settings } = readAddress(search);
  return { place, area: settings.area };
}

/** Write the state into the address. */
function updateAddress() {
  const parts = new URLSearchParams();
  if (state.at) parts.set('at', state.at);
  if (state.area) {
    parts.set('near', `${state.area.latitude},${state.area.longitude}`);
    parts.set('radius_m', `${state.area.radius_m}`);
  }
  if (state.place !== null) parts.set('place', `${state.place}`);
  const text = parts.toString().replaceAll('%2C', ',');
  history.replaceState(null, '', `map${text && `?${text}`}`);
}

await serverReady();
const L = await requireLeaflet();
const map = await makeMap(L, find('map', HTMLDivElement));
// Without this sentence, a map without tiles would look broken.
if (!map.options.ground) L.control.attribution({ prefix: false }).addAttribution(words.noGround).addTo(map);
const chosenDot = L.circleMarker([0, 0], { radius: 9, className: 'chosen-dot', interactive: false });

if (!currentIndex()?.positions) {
  note.textContent = words.noPositions;
  map.setView([20, 0], 2);
} else {
  await setFirstView();
}
addDots(L, map, { onDots: showList, onPick: pickDot });
const circle = circleTool(L, map, showArea);
if (state.area) circle.setArea(state.area);
if (state.place !== null) void showPlace(state.place);
map.on('moveend', () => {
  const { lat, lng } = map.getCenter();
  state.at = `${lat.toFixed(6)},${lng.toFixed(6)},${map.getZoom()}`;
  updateAddress();
});

/** Load Leaflet, which this page needs. */
async function requireLeaflet() {
  const load = async () => {
    const L = await loadLeaflet();
    if (L) return L;
    throw new ApiError(connectionLost());
  };
  return require(load, () => {});
}

/**
 * What the page needs: it is asked for again once the server answers, and each time that the reader
 * presses "Try again".
 * @template T
 * @param {() => Promise<T>} send rejects with ApiError
 * @param {() => void} onProblem
 * @returns {Promise<T>}
 */
async function require(send, onProblem) {
  for (;;) {
    const wait = new AbortController();
    const pressed = new Promise((resolve) => wait.signal.addEventListener('abort', resolve));
    const answer = await sendWithRetries(send, { photos: [], signal: wait.signal, onProblem, onRetry: () => wait.abort() });
    if (answer) return answer;
    await pressed;
  }
}

async function setFirstView() {
  const [latitude, longitude, zoom] = (state.at ?? '').split(',').map(Number);
  // Latitude 0 is valid, but no map has zoom 0.
  if (Number.isFinite(latitude) && Number.isFinite(longitude) && zoom) {
    map.setView([latitude, longitude], zoom);
    return;
  }
  const read = () => readDots(WORLD, new AbortController().signal);
  const { features } = await require(read, () => map.setView([20, 0], 2));
  fitDots(L, map, features);
}

/** @param {DotReply[]} dots */
function showList(dots) {
  if (!currentIndex()?.positions) return;
  const view = map.getBounds();
  const { lat: latitude, lng: longitude } = map.getCenter();
  const inView = dots.filter(({ geometry: { coordinates } }) => view.contains([coordinates[1], coordinates[0]]));
  note.textContent = words.shownOnMap(inView.length, inView.reduce((sum, dot) => sum + dot.properties.count, 0), currentIndex());
  const distance = (/** @type {DotReply} */ { geometry: { coordinates } }) =>
    distanceM({ latitude, longitude }, { latitude: coordinates[1], longitude: coordinates[0] });
  list.replaceChildren(
    ...inView
      .sort((a, b) => distance(a) - distance(b))
      .slice(0, MAX_LISTED)
      .map((dot) => {
        const button = element('button', { type: 'button', class: 'textual' }, splitName(dot.properties).leaf);
        button.addEventListener('click', () => pickDot(dot));
        return element('li', {}, button, dot.properties.count > 1 ? ` ${words.andOthers(dot.properties.count - 1)}` : null);
      }),
  );
}

/** @param {DotReply} dot */
function pickDot({ properties: { place_id, count } }) {
  if (circle.isDrawing()) return;
  void showPlace(place_id, count);
}

/**
 * @param {number} id
 * @param {number} [count] of places that the dot stands for
 */
async function showPlace(id, count = 1) {
  state.place = id;
  updateAddress();
  placeRequest.abort();
  const { signal } = (placeRequest = new AbortController());
  const onRetry = () => void showPlace(id, count);
  const place = await sendWithRetries(() => readPlace(id, signal), { photos: [], signal, onProblem: () => {}, onRetry });
  if (place) showChosen(place, count);
}

/**
 * @param {PlaceReply} place
 * @param {number} count
 */
function showChosen(place, count) {
  const { leaf, folder } = splitName(place);
  const photo = thumbnail(place.thumbnail_url);
  const zoomButton = element('button', { type: 'button', class: 'textual' }, words.zoomCloser(count));
  const { position } = place;
  const point = position && [position.latitude, nearestCopy(position.longitude, map.getCenter().lng)];
  zoomButton.addEventListener('click', () => point && map.setView(point, map.getZoom() + 3));
  chosen.replaceChildren(
    element('a', { class: 'frame', href: writeAddress({ ...readAddress(''), place: place.place_id }), 'aria-label': words.openPlace(place.name) }, photo),
    element('h2', { class: 'name' }, leaf),
    folder ? element('p', { class: 'folder' }, folder) : '',
    position ? element('p', { class: 'where' }, positionButton(position)) : '',
    element('a', { class: 'button', href: writeAddress({ ...readAddress(''), of: place.place_id }) }, words.searchAgain),
    count > 1 ? zoomButton : '',
  );
  if (point) chosenDot.setLatLng(point).addTo(map);
  announce(place.name);
}

/** @param {Area | null} area */
function showArea(area) {
  state.area = area;
  updateAddress();
  if (!area) {
    circleActions.replaceChildren();
    return;
  }
  const settings = { ...readAddress('').settings, area };
  const remove = element('button', { type: 'button', class: 'textual' }, words.removeCircle);
  remove.addEventListener('click', () => circle.setArea(null));
  circleActions.replaceChildren(
    element('a', { class: 'button', href: writeAddress({ settings, of: null, place: null }) }, words.searchWithin(area)),
    ' ',
    remove,
  );
}
