// A place's page: its photo, its spot, its map, similar places, and the form that changes it.

import { ApiError } from './api.js';
import { positionButton } from './copy.js';
import { announce, element, find, whenBack } from './dom.js';
import { readChangeRight, readGroup, readPlaceVersion, readSimilar } from './edit-api.js';
import { formatPosition, formatSimilarity, splitName } from './format.js';
import { originalOf } from './original.js';
import { showPlaceMap } from './place-map.js';
import { isRemoved, showRemoved, showTools } from './place-form.js';
import { placeWords } from './place-words.js';
import { hideProblem, showNotice } from './problem.js';
import { sendWithRetries } from './retry.js';
import { serverReady } from './server.js';
import { queueChange, showSpot } from './spot-photos.js';
import { thumbnail } from './thumbnail.js';
import { words } from './words.js';

/** @import { GroupVersion, PlaceVersion } from './edit-api.js' */
/** @import { PlaceDetailsReply, ResultReply } from './types.js' */

const idText = new URLSearchParams(location.search).get('id') ?? '';
// Number('') would be place 0.
const id = /^\d{1,15}$/.test(idText) ? Number(idText) : NaN;
const answer = find('answer', HTMLDivElement);
const name = find('name', HTMLHeadingElement);
const file = find('file', HTMLParagraphElement);
const similarSection = find('alike', HTMLElement);
const similarHeading = find('alike-heading', HTMLHeadingElement);
const abortController = new AbortController();

/** The place and its group as last read, and whether the reader may change them. */
const page = {
  /** @type {PlaceVersion | null} */ placeVersion: null,
  /** @type {GroupVersion | null} */ spot: null,
  mayChange: false,
};

void serverReady();
if (Number.isNaN(id)) {
  const all = element('a', { class: 'button', href: 'places' }, document.querySelector('.back a')?.textContent ?? '');
  showNotice(placeWords.unnamed, placeWords.unnamedMend, all);
} else {
  whenBack(() => void load());
  await load();
}
if (location.hash === '#alike' && page.placeVersion) await showSimilar();

/** Read all that the page shows, and show it together, so that nothing moves later. */
async function load() {
  const { signal } = abortController;
  const readPlace = () => Promise.all([readPlaceVersion(id, signal), readGroup(id, signal)]).catch(nullWhereRemoved);
  const send = () => Promise.all([readPlace(), readChangeRight(signal)]);
  const replies = await sendWithRetries(send, { photos: [], signal, onProblem: () => {}, onRetry: load });
  if (!replies) return;
  const [placeAndSpot, right] = replies;
  const handlers = { showPlace, load, redrawSpot };
  if (!placeAndSpot) return showRemoved(id, page.placeVersion?.place.name ?? placeWords.file(id), right, handlers);
  const [placeVersion, spot] = placeAndSpot;
  page.mayChange = right === 'allowed';
  page.spot = spot;
  showPlace(placeVersion);
  showTools(find('tools', HTMLDivElement), right, page, handlers);
  redrawSpot(spot);
}

/** @param {unknown} error */
function nullWhereRemoved(error) {
  if (error instanceof ApiError && isRemoved(error.problem)) return null;
  throw error;
}

/** @param {PlaceVersion} placeVersion */
function showPlace(placeVersion) {
  hideProblem();
  find('removed', HTMLDivElement).hidden = true;
  page.placeVersion = placeVersion;
  const { place } = placeVersion;
  const { leaf, folder } = splitName(place);
  document.title = placeWords.title(leaf);
  name.removeAttribute('data-words');
  name.textContent = leaf;
  file.textContent = [folder, placeWords.file(place.place_id)].filter(Boolean).join(' · ');
  find('facts', HTMLElement).replaceChildren(...factsOf(place));
  const similarButton = element('button', { type: 'button', class: 'button', id: 'find-alike' }, placeWords.findAlike);
  similarButton.addEventListener('click', () => void showSimilar());
  const { position } = place;
  find('ways', HTMLParagraphElement).replaceChildren(
    similarButton,
    element('a', { class: 'textual', href: `./?of=${place.place_id}` }, placeWords.searchWith),
    position
      ? element('a', { class: 'textual', href: `map?at=${position.latitude.toFixed(6)},${position.longitude.toFixed(6)},18&place=${place.place_id}` }, placeWords.onMap)
      : '',
  );
  answer.hidden = false;
  showPhoto(place); // the frame has its size only now
  void showPlaceMap(place, page.mayChange);
}

/** @param {PlaceDetailsReply} place */
function showPhoto(place) {
  const note = find('photo-note', HTMLParagraphElement);
  note.textContent = '';
  const frame = find('photo', HTMLElement);
  frame.replaceChildren(originalOf(place, (why) => (note.textContent = why), frame.clientWidth));
}

/** @param {PlaceDetailsReply} place */
function factsOf(place) {
  /** @type {[string, Node | string][]} */
  const facts = [[placeWords.position, place.position ? positionButton(place.position) : words.noPosition]];
  // In UTC, as the filters by day: photos without a time zone keep the hour of the camera's clock.
  if (place.taken) facts.push([placeWords.taken, `${words.date(place.taken, 'UTC')} UTC`]);
  if (typeof place.heading === 'number') facts.push([placeWords.looks, words.compass(place.heading)]);
  if (place.note) facts.push([placeWords.note, place.note]);
  if (place.tags?.length) facts.push([placeWords.tags, place.tags.join(', ')]);
  for (const [field, value] of Object.entries(place.fields ?? {})) {
    facts.push([field, typeof value === 'boolean' ? (value ? placeWords.yes : placeWords.no) : `${value}`]);
  }
  return facts.flatMap(([name, fact]) => [element('dt', {}, name), element('dd', {}, fact)]);
}

/** @param {GroupVersion} spot */
function redrawSpot(spot) {
  page.spot = spot;
  showSpot(id, page, redrawSpot);
}

/** Show the places that look like this one, and move the focus there. */
async function showSimilar() {
  const { signal } = abortController;
  const { activeElement: focusBefore } = document;
  const results = await sendWithRetries(() => readSimilar(id, signal), { photos: [], signal, onProblem: () => {}, onRetry: showSimilar });
  if (!results) return;
  find('alike-photos', HTMLUListElement).replaceChildren(...results.map(similarCard));
  find('alike-note', HTMLParagraphElement).textContent = placeWords.alikeFound(results.length);
  similarSection.hidden = false;
  // A reader who has begun to type keeps the focus.
  if (document.activeElement !== focusBefore) return;
  similarHeading.scrollIntoView();
  similarHeading.focus({ preventScroll: true });
}

/** @param {ResultReply} result */
function similarCard(result) {
  const link = element(
    'a',
    { href: `place?id=${result.place_id}`, title: result.name },
    element('span', { class: 'frame' }, thumbnail(result.thumbnail_url)),
    element('span', { class: 'name' }, splitName(result).leaf),
  );
  const item = element(
    'li',
    {},
    link,
    element('span', { class: 'note' }, placeWords.similarity(formatSimilarity(result.similarity)), result.position ? ` · ${formatPosition(result.position)}` : ''),
  );
  if (page.mayChange) item.append(joinButton(result, item));
  return item;
}

/**
 * @param {ResultReply} result
 * @param {HTMLLIElement} item
 */
function joinButton(result, item) {
  const join = element('button', { type: 'button', class: 'textual', 'aria-label': placeWords.sameSpotNamed(result.name) }, placeWords.sameSpot);
  join.addEventListener('click', async () => {
    const spot = await queueChange(id, { add: [result.place_id] }, page, redrawSpot);
    if (!spot) return;
    item.remove();
    announce(placeWords.spotChanged);
    find('spot-heading', HTMLHeadingElement).focus();
  });
  return join;
}
