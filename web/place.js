// A place's page: its photo, the photos of its spot, where it is, places like it, and tending it.

import { ApiError } from './api.js';
import { positionButton } from './copy.js';
import { announce, element, find, whenBack } from './dom.js';
import { formatPosition, formatSimilarity, splitName } from './format.js';
import { originalOf } from './original.js';
import { showPlaceMap } from './place-map.js';
import { isRemoved, showRemoved, showTools } from './place-form.js';
import { placeWords } from './place-words.js';
import { hideProblem, showNothing } from './problem.js';
import { persist } from './retry.js';
import { serverReady } from './server.js';
import { changeWith, showSpot } from './spot-photos.js';
import { readAlike, readChanges, readSpot, readTended } from './tend-api.js';
import { thumbnail } from './thumbnail.js';
import { words } from './words.js';

/** @import { Spot, Tended } from './tend-api.js' */
/** @import { PlaceDetailsReply, ResultReply } from './types.js' */

const named = new URLSearchParams(location.search).get('id') ?? '';
// An address that names no place is not that of place 0.
const id = /^\d{1,15}$/.test(named) ? Number(named) : NaN;
const answer = find('answer', HTMLDivElement);
const name = find('name', HTMLHeadingElement);
const file = find('file', HTMLParagraphElement);
const alike = find('alike', HTMLElement);
const alikeHeading = find('alike-heading', HTMLHeadingElement);
const running = new AbortController();

/** What the page shows: the place and its group as they were last read, and who may change them. */
const page = {
  /** @type {Tended | null} */ tended: null,
  /** @type {Spot | null} */ spot: null,
  mayChange: false,
};

void serverReady();
if (Number.isNaN(id)) {
  const all = element('a', { class: 'button', href: 'places' }, document.querySelector('.back a')?.textContent ?? '');
  showNothing(placeWords.unnamed, placeWords.unnamedMend, all);
} else {
  whenBack(() => void begin());
  await begin();
}
if (location.hash === '#alike' && page.tended) await showAlike();

/** Read all that the page shows, and show it at once, so that nothing moves later. */
async function begin() {
  const { signal } = running;
  const place = () => Promise.all([readTended(id, signal), readSpot(id, signal)]).catch(nullWhereRemoved);
  const ask = () => Promise.all([place(), readChanges(signal)]);
  const read = await persist(ask, { photos: [], signal, onProblem: () => {}, again: begin });
  if (!read) return;
  const [there, changes] = read;
  const on = { showPlace, begin, redrawSpot };
  if (!there) return showRemoved(id, page.tended?.place.name ?? placeWords.file(id), changes, on);
  const [tended, spot] = there;
  page.mayChange = changes === 'allowed';
  page.spot = spot;
  showPlace(tended);
  showTools(find('tools', HTMLDivElement), changes, page, on);
  redrawSpot(spot);
}

/** @param {unknown} error */
function nullWhereRemoved(error) {
  if (error instanceof ApiError && isRemoved(error.problem)) return null;
  throw error;
}

/** @param {Tended} tended */
function showPlace(tended) {
  hideProblem();
  find('removed', HTMLDivElement).hidden = true;
  page.tended = tended;
  const { place } = tended;
  const { leaf, folder } = splitName(place);
  document.title = placeWords.title(leaf);
  name.removeAttribute('data-words');
  name.textContent = leaf;
  file.textContent = [folder, placeWords.file(place.place_id)].filter(Boolean).join(' · ');
  find('facts', HTMLElement).replaceChildren(...factsOf(place));
  const finder = element('button', { type: 'button', class: 'button', id: 'find-alike' }, placeWords.findAlike);
  finder.addEventListener('click', () => void showAlike());
  const { position } = place;
  find('ways', HTMLParagraphElement).replaceChildren(
    finder,
    element('a', { class: 'textual', href: `./?of=${place.place_id}` }, placeWords.searchWith),
    position
      ? element('a', { class: 'textual', href: `map?at=${position.latitude.toFixed(6)},${position.longitude.toFixed(6)},18&place=${place.place_id}` }, placeWords.onMap)
      : '',
  );
  answer.hidden = false;
  showPhoto(place); // its frame has a size now
  void showPlaceMap(place, page.mayChange);
}

/** @param {PlaceDetailsReply} place */
function showPhoto(place) {
  const note = find('photo-note', HTMLParagraphElement);
  note.textContent = '';
  const frame = find('photo', HTMLElement);
  frame.replaceChildren(originalOf(place, () => (note.textContent = words.originalGone), frame.clientWidth));
}

/** @param {PlaceDetailsReply} place */
function factsOf(place) {
  /** @type {[string, Node | string][]} */
  const facts = [[placeWords.position, place.position ? positionButton(place.position) : words.noPosition]];
  // As its days are looked for. A camera that names no zone would be told hours that it never showed.
  if (place.taken) facts.push([placeWords.taken, `${words.date(place.taken, 'UTC')} UTC`]);
  if (typeof place.heading === 'number') facts.push([placeWords.looks, words.compass(place.heading)]);
  if (place.note) facts.push([placeWords.note, place.note]);
  if (place.tags?.length) facts.push([placeWords.tags, place.tags.join(', ')]);
  for (const [field, value] of Object.entries(place.fields ?? {})) {
    facts.push([field, typeof value === 'boolean' ? (value ? placeWords.yes : placeWords.no) : `${value}`]);
  }
  return facts.flatMap(([what, said]) => [element('dt', {}, what), element('dd', {}, said)]);
}

/** @param {Spot} spot */
function redrawSpot(spot) {
  page.spot = spot;
  showSpot(id, page, redrawSpot);
}

/** Show the places that look like this one, and go there. */
async function showAlike() {
  const { signal } = running;
  const { activeElement: from } = document;
  const results = await persist(() => readAlike(id, signal), { photos: [], signal, onProblem: () => {}, again: showAlike });
  if (!results) return;
  find('alike-photos', HTMLUListElement).replaceChildren(...results.map(alikeCard));
  find('alike-note', HTMLParagraphElement).textContent = placeWords.alikeFound(results.length);
  alike.hidden = false;
  // Who writes by now goes on writing.
  if (document.activeElement !== from) return;
  alikeHeading.scrollIntoView();
  alikeHeading.focus({ preventScroll: true });
}

/** @param {ResultReply} result */
function alikeCard(result) {
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
    const spot = await changeWith(id, { add: [result.place_id] }, page, redrawSpot);
    if (!spot) return;
    item.remove();
    announce(placeWords.spotChanged);
    find('spot-heading', HTMLHeadingElement).focus();
  });
  return join;
}
