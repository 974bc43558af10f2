// The page of all places: a grid of which only the rows in view are in the document.

import { ApiError, listPlaces, showThumbnails } from './api.js';
import { element, find, imageOr, whenBack } from './dom.js';
import { splitName } from './format.js';
import { showEmptyIndex } from './problem.js';
import { sendWithRetries } from './retry.js';
import { serverReady } from './server.js';
import { words } from './words.js';

/** @import { ListedPlaceReply } from './types.js' */

const MIN_CARD_WIDTH = 150;
const WORDS_HEIGHT = 68;
/** Rows above and below the window that are in the document too. */
const SPARE_ROWS = 3;
/** The most requests for a row's thumbnails. */
const MAX_TRIES = 5;

const list = find('places', HTMLUListElement);
const count = find('count', HTMLParagraphElement);
/** The fields whose values the address keeps, by parameter of GET /v1/places. */
const fields = {
  q: find('q', HTMLInputElement),
  folder: find('folder', HTMLInputElement),
  taken_from: find('taken_from', HTMLInputElement),
  taken_to: find('taken_to', HTMLInputElement),
  sort: find('sort', HTMLSelectElement),
};

/** Whether the grid shows a card for each photo; else it shows a card for each spot. */
const eachPhoto = find('each', HTMLInputElement);

/** @type {ListedPlaceReply[]} the places read until now, from the first on */
let places = [];
let total = 0;
/** The index's id. */
let index = '';
/** @type {string | null} */
let cursor = null;
/** @type {Map<number, HTMLLIElement>} the items in the document, by index in `places` */
const shownItems = new Map();
let abortController = new AbortController();
let reading = false;
let inputTimer = 0;

/** Pixels to scroll to for a reader who comes back: the browser cannot scroll an empty list. */
let scrollTarget = Number(history.state?.top ?? 0);
history.scrollRestoration = 'manual';
addEventListener('pagehide', () => history.replaceState({ top: scrollY }, ''));

const query = new URLSearchParams(location.search);
for (const [name, field] of Object.entries(fields)) {
  if (query.has(name)) field.value = query.get(name) ?? '';
  // A select has no value after an unknown one was set.
  if (field instanceof HTMLSelectElement && !field.value) field.selectedIndex = 0;
  field.addEventListener('input', () => {
    clearTimeout(inputTimer);
    inputTimer = setTimeout(loadFirst, 250);
  });
}
eachPhoto.checked = query.has('each');
eachPhoto.addEventListener('input', () => void loadFirst());
find('wanted', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void loadFirst();
});
addEventListener('scroll', draw, { passive: true });
new ResizeObserver(draw).observe(list);
whenBack(() => {
  scrollTarget = scrollY;
  void loadFirst();
});
void serverReady();
await loadFirst();

/** The values of the fields: "" for any. */
function fieldValues() {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
}

/** Read and show the places from the first on. */
async function loadFirst() {
  abortController.abort();
  clearTimeout(inputTimer);
  const filters = Object.entries(fieldValues()).filter(([name, value]) => value && !(name === 'sort' && value === 'id'));
  const query = new URLSearchParams(eachPhoto.checked ? [...filters, ['each', '']] : filters).toString();
  history.replaceState(null, '', `places${query && `?${query}`}`);
  abortController = new AbortController();
  places = [];
  cursor = null;
  reading = false;
  const { signal } = abortController;
  const pageRead = await readMore();
  const grouped = pageRead && (await isGrouped(signal));
  if (signal.aborted) return;
  for (const item of shownItems.values()) item.remove();
  shownItems.clear();
  if (!pageRead) {
    // The old list does not answer the new filters.
    list.style.height = '0';
    count.textContent = '';
    return;
  }
  find('each-label', HTMLLabelElement).hidden = !grouped && !eachPhoto.checked;
  if (!total && !query) showEmptyIndex();
  count.textContent = grouped && !eachPhoto.checked ? words.spots(total) : words.places(total);
  draw();
  if (scrollTarget) scrollTo(0, scrollTarget);
  scrollTarget = 0;
}

/**
 * Whether a card stands for several photos. Of cards beyond the first page only the number of photos tells.
 * @param {AbortSignal} signal
 */
async function isGrouped(signal) {
  if (places.some(({ group }) => group && group.photos > 1)) return true;
  if (!cursor || eachPhoto.checked) return false;
  const photos = await listPlaces({ ...fieldValues(), limit: '1' }, null, signal).catch(() => null);
  return photos !== null && photos.total > total;
}

/** Read the next page; false where it failed, or the filters changed meanwhile. */
async function readMore() {
  const { signal } = abortController;
  const [filters, pageCursor] = [{ ...fieldValues(), spots: eachPhoto.checked ? '' : 'true' }, cursor];
  reading = true;
  const page = await sendWithRetries(() => listPlaces(filters, pageCursor, signal), { photos: [], signal, onProblem: () => {}, onRetry: loadFirst });
  if (!page) return false;
  reading = false;
  places.push(...page.places);
  cursor = page.next_cursor;
  // Places that were read stay, though others remove or add some meanwhile: the last page ends the list.
  total = cursor ? Math.max(page.total, places.length + 1) : places.length;
  index = page.index_id;
  return true;
}

/** Put the rows in view into the document, and read those that are missing. */
function draw() {
  const columns = columnsOf();
  const width = list.clientWidth / columns;
  const height = Math.round(((width - 12) * 3) / 4 + WORDS_HEIGHT);
  list.style.height = `${Math.ceil(total / columns) * height}px`;
  const top = -list.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / height) - SPARE_ROWS) * columns;
  const end = Math.min(total, (Math.ceil((top + innerHeight) / height) + SPARE_ROWS) * columns);
  for (const [at, item] of shownItems) {
    // An item with the focus stays, so that the keyboard goes on from it.
    if ((at < first || at >= end) && !item.contains(document.activeElement)) {
      item.remove();
      shownItems.delete(at);
    }
  }
  for (let row = first; row < Math.min(end, places.length); row += columns) {
    /** @type {[number, HTMLImageElement][]} */
    const images = [];
    for (const [column, place] of places.slice(row, row + columns).entries()) {
      const item = shownItems.get(row + column) ?? insertItem(place, row + column, images);
      item.style.width = `${width}px`;
      item.style.transform = `translate(${column * width}px, ${(row / columns) * height}px)`;
    }
    // One request a row: its address depends on nothing else, so the browser's cache can answer it.
    if (images.length) void showRow(images, width - 12);
  }
  if (end > places.length && cursor && !reading) void readMore().then((more) => more && draw());
}

/**
 * Show a row's thumbnails; retry while the server is busy and the row is in the document.
 * @param {[number, HTMLImageElement][]} images by the place's id
 * @param {number} side
 */
async function showRow(images, side) {
  for (let tries = 1; images.some(([, image]) => image.isConnected); tries++) {
    try {
      await showThumbnails(images, side, index);
      return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { status, retryAfter } = error.problem;
      if (tries === MAX_TRIES || ![0, 429, 503].includes(status)) break;
      await new Promise((resolve) => setTimeout(resolve, 1000 * (retryAfter || tries)));
    }
  }
  for (const [, image] of images) image.dispatchEvent(new Event('error'));
}

function columnsOf() {
  return Math.max(2, Math.floor(list.clientWidth / MIN_CARD_WIDTH));
}

/**
 * Put an item into the document, in the order of the places.
 * @param {ListedPlaceReply} place
 * @param {number} at index in `places`
 * @param {[number, HTMLImageElement][]} images by place id; the item's is added
 */
function insertItem(place, at, images) {
  const image = imageOr(words.noThumbnail);
  images.push([place.place_id, image]);
  const item = card(place, at, image);
  let next = null;
  for (const [otherAt, otherItem] of shownItems) {
    if (otherAt > at && (next === null || otherAt < next.at)) next = { at: otherAt, item: otherItem };
  }
  list.insertBefore(item, next ? next.item : null);
  shownItems.set(at, item);
  return item;
}

/**
 * @param {ListedPlaceReply} place
 * @param {number} at index in `places`
 * @param {HTMLImageElement} image
 */
function card(place, at, image) {
  const photos = eachPhoto.checked ? 1 : (place.group?.photos ?? 1);
  const photoCount = photos > 1 ? element('span', { class: 'many' }, words.photos(photos)) : '';
  return element(
    'li',
    { 'aria-setsize': total, 'aria-posinset': at + 1 },
    element(
      'a',
      { href: `place?id=${place.place_id}`, title: place.name },
      element('span', { class: 'frame' }, image, photoCount),
      element('span', { class: 'name' }, (!eachPhoto.checked && place.group?.name) || splitName(place).leaf),
    ),
    element('a', { class: 'textual', href: `place?id=${place.place_id}#alike`, 'aria-label': words.placesLike(place.name) }, words.placesAlike),
  );
}
