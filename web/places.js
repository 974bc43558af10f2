// All places of the index: a grid of which only the rows in view are in the document.

import { ApiError, listPlaces, showThumbnails } from './api.js';
import { element, find, imageOr, whenBack } from './dom.js';
import { splitName } from './format.js';
import { showEmptyIndex } from './problem.js';
import { persist } from './retry.js';
import { serverReady } from './server.js';
import { words } from './words.js';

/** @import { ListedPlaceReply } from './types.js' */

const LEAST_WIDTH = 150;
const WORDS_HEIGHT = 68;
/** Rows above and below the window that are there already. */
const SPARE = 3;
/** Requests for a row's thumbnails. */
const TRIES = 5;

const list = find('places', HTMLUListElement);
const count = find('count', HTMLParagraphElement);
/** What the address keeps, by the parameter of GET /v1/places that each field is. */
const fields = {
  q: find('q', HTMLInputElement),
  folder: find('folder', HTMLInputElement),
  taken_from: find('taken_from', HTMLInputElement),
  taken_to: find('taken_to', HTMLInputElement),
  sort: find('sort', HTMLSelectElement),
};

/** Whether each photo has its card, and not each spot. */
const each = find('each', HTMLInputElement);

/** @type {ListedPlaceReply[]} as far as they are read */
let places = [];
let total = 0;
/** The index's id. */
let index = '';
/** @type {string | null} */
let cursor = null;
/** @type {Map<number, HTMLLIElement>} the items that are in the document */
const shown = new Map();
let running = new AbortController();
let reading = false;
let typed = 0;

/** How far down one was who comes back, in pixels: the browser knows no list that is not there yet. */
let left = Number(history.state?.top ?? 0);
history.scrollRestoration = 'manual';
addEventListener('pagehide', () => history.replaceState({ top: scrollY }, ''));

const asked = new URLSearchParams(location.search);
for (const [name, field] of Object.entries(fields)) {
  if (asked.has(name)) field.value = asked.get(name) ?? '';
  // A select that does not know a value has none.
  if (field instanceof HTMLSelectElement && !field.value) field.selectedIndex = 0;
  field.addEventListener('input', () => {
    clearTimeout(typed);
    typed = setTimeout(begin, 250);
  });
}
each.checked = asked.has('each');
each.addEventListener('input', () => void begin());
find('wanted', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  void begin();
});
addEventListener('scroll', draw, { passive: true });
new ResizeObserver(draw).observe(list);
whenBack(() => {
  left = scrollY;
  void begin();
});
void serverReady();
await begin();

/** What is asked for: "" for any. */
function wanted() {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
}

/** Read from the first place on. */
async function begin() {
  running.abort();
  clearTimeout(typed);
  const kept = Object.entries(wanted()).filter(([name, value]) => value && !(name === 'sort' && value === 'id'));
  const query = new URLSearchParams(each.checked ? [...kept, ['each', '']] : kept).toString();
  history.replaceState(null, '', `places${query && `?${query}`}`);
  running = new AbortController();
  places = [];
  cursor = null;
  reading = false;
  const { signal } = running;
  const read = await readMore();
  if (signal.aborted) return;
  for (const item of shown.values()) item.remove();
  shown.clear();
  if (!read) {
    // What was there is not what was asked for.
    list.style.height = '0';
    count.textContent = '';
    return;
  }
  const grouped = places.some(({ group }) => group && group.photos > 1);
  find('each-label', HTMLLabelElement).hidden = !grouped && !each.checked;
  if (!total && !query) showEmptyIndex();
  count.textContent = grouped && !each.checked ? words.spots(total) : words.places(total);
  draw();
  if (left) scrollTo(0, left);
  left = 0;
}

/** Read the next page; false where that was of no use any more. */
async function readMore() {
  const { signal } = running;
  const [asks, after] = [{ ...wanted(), spots: each.checked ? '' : 'true' }, cursor];
  reading = true;
  const page = await persist(() => listPlaces(asks, after, signal), { photos: [], signal, onProblem: () => {}, again: begin });
  if (!page) return false;
  reading = false;
  places.push(...page.places);
  [total, index] = [page.total, page.index_id];
  cursor = page.next_cursor;
  return true;
}

/** Put the rows in view into the document, and read on where they are not known yet. */
function draw() {
  const columns = columnsOf();
  const width = list.clientWidth / columns;
  const height = Math.round(((width - 12) * 3) / 4 + WORDS_HEIGHT);
  list.style.height = `${Math.ceil(total / columns) * height}px`;
  const top = -list.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / height) - SPARE) * columns;
  const end = Math.min(total, (Math.ceil((top + innerHeight) / height) + SPARE) * columns);
  for (const [at, item] of shown) {
    // What has the focus stays, so that the keyboard goes on from there.
    if ((at < first || at >= end) && !item.contains(document.activeElement)) {
      item.remove();
      shown.delete(at);
    }
  }
  for (let row = first; row < Math.min(end, places.length); row += columns) {
    /** @type {[number, HTMLImageElement][]} */
    const images = [];
    for (const [column, place] of places.slice(row, row + columns).entries()) {
      const item = shown.get(row + column) ?? add(place, row + column, images);
      item.style.width = `${width}px`;
      item.style.transform = `translate(${column * width}px, ${(row / columns) * height}px)`;
    }
    // A row at a time, so that a browser that has had it does not ask again.
    if (images.length) void showRow(images, width - 12);
  }
  if (end > places.length && cursor && !reading) void readMore().then((more) => more && draw());
}

/**
 * Show a row's thumbnails; later where the server is busy, and not while nobody looks at them.
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
      if (tries === TRIES || ![0, 429, 503].includes(status)) break;
      await new Promise((resolve) => setTimeout(resolve, 1000 * (retryAfter || tries)));
    }
  }
  for (const [, image] of images) image.dispatchEvent(new Event('error'));
}

function columnsOf() {
  return Math.max(2, Math.floor(list.clientWidth / LEAST_WIDTH));
}

/**
 * Put an item into the document, in the order of the places.
 * @param {ListedPlaceReply} place
 * @param {number} at
 * @param {[number, HTMLImageElement][]} images to which its own comes, by the place's id
 */
function add(place, at, images) {
  const image = imageOr(words.noThumbnail);
  images.push([place.place_id, image]);
  const item = card(place, at, image);
  let next = null;
  for (const [other, there] of shown) {
    if (other > at && (next === null || other < next.at)) next = { at: other, there };
  }
  list.insertBefore(item, next ? next.there : null);
  shown.set(at, item);
  return item;
}

/**
 * @param {ListedPlaceReply} place
 * @param {number} at
 * @param {HTMLImageElement} image
 */
function card(place, at, image) {
  const photos = each.checked ? 1 : (place.group?.photos ?? 1);
  const many = photos > 1 ? element('span', { class: 'many' }, words.photos(photos)) : '';
  return element(
    'li',
    { 'aria-setsize': total, 'aria-posinset': at + 1 },
    element(
      'a',
      { href: `place?id=${place.place_id}`, title: place.name },
      element('span', { class: 'frame' }, image, many),
      element('span', { class: 'name' }, (!each.checked && place.group?.name) || splitName(place).leaf),
    ),
    element('a', { class: 'textual', href: `place?id=${place.place_id}#alike`, 'aria-label': words.placesLike(place.name) }, words.placesAlike),
  );
}
