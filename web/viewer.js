// The viewer: one place, large, beside the query photo, and the points that they share.

import { ApiError, comparePhotos, readPhoto } from './api.js';
import { element, find, icon } from './dom.js';
import { splitName } from './format.js';
import { matchLines } from './matches.js';
import { originalOf } from './original.js';
import { evidenceLine, headingLine, positionLine, similarityLine } from './results.js';
import { linesSwitch, verdictLine } from './verdict.js';
import { words } from './words.js';

/** @import { Part } from './page-types.js' */
/** @import { CompareReply, PlaceReply, ResultReply } from './types.js' */

/** @typedef {{onStep: (id: number) => void, onClose: (at: number) => void, searchWithPlace: (place: PlaceReply) => void}} Handlers `at`: index of a place */
/** @typedef {{id: string, file: File, files: File[], box: Part | null}} QueryPhoto `files` show one spot, and the viewer shows `file` */
/** @typedef {PlaceReply & Partial<ResultReply>} ViewedPlace a result, or a place that the address names */

const dialog = find('viewer', HTMLDialogElement);

/** @type {{places: ViewedPlace[], at: number, photo: QueryPhoto | null} & Handlers | null} */
let shown = null;
let linesOn = true;
let abortController = new AbortController();
/** @type {Map<string, CompareReply>} by photo, part and place */
const comparisons = new Map();

const title = element('h2', { id: 'viewer-title' });
const rank = element('span', { class: 'rank' });
const name = element('span', { class: 'name' });
const folder = element('span', { class: 'folder' });
title.append(rank, ' ', name, ' ', folder);
const previous = iconButton('previous', words.previous, () => step(-1));
const next = iconButton('next', words.next, () => step(1));
const close = iconButton('close', words.close, () => dialog.close());
const query = element('div', { class: 'frame' });
const match = element('div', { class: 'frame' });
const queryName = element('figcaption', {});
const queryFigure = element('figure', {}, query, queryName);
const matchName = element('figcaption', {});
const note = element('p', { class: 'note', role: 'status' });
const facts = element('div', { class: 'facts' });
const shared = element('p', { class: 'shared', role: 'status' });
const again = element('button', { type: 'button', class: 'button quiet' }, icon('again'), words.searchAgain);
again.addEventListener('click', () => {
  const place = shown?.places[shown.at];
  if (place) shown?.searchWithPlace(place);
});
const linesToggle = linesSwitch(linesOn, (on) => {
  linesOn = on;
  void showShared();
});
const pair = element('div', { class: 'pair' }, queryFigure, element('figure', {}, match, matchName));
const lines = matchLines(pair);

dialog.append(
  element('header', {}, title, element('div', { class: 'tools' }, previous, next, close)),
  pair,
  element('footer', {}, facts, element('div', { class: 'points' }, linesToggle, shared), note, again),
);

dialog.addEventListener('close', () => {
  abortController.abort();
  shown?.onClose(shown.at);
  shown = null;
});
dialog.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowLeft') step(-1);
  if (event.key === 'ArrowRight') step(1);
});
// A click on the backdrop is a click on the dialog itself, outside its box of contents.
dialog.addEventListener('click', (event) => {
  if (event.target === dialog) dialog.close();
});

/**
 * @param {ViewedPlace[]} places
 * @param {number} at index of the place to open
 * @param {QueryPhoto | null} photo
 * @param {string | null} photoAddress null where the browser cannot show the photo
 * @param {Handlers} handlers
 */
export function openViewer(places, at, photo, photoAddress, handlers) {
  shown = { places, at, photo, ...handlers };
  const photoCount = photo?.files.length ?? 0;
  queryFigure.hidden = !photo;
  queryName.textContent = words.yourPhoto + (photoCount > 1 ? words.together(photoCount) : '');
  pair.classList.toggle('alone', !photo);
  query.replaceChildren(
    photoAddress ? element('img', { src: photoAddress, alt: '' }) : element('span', { class: 'missing' }, words.noPreview),
  );
  show(at);
  if (dialog.open) return;
  dialog.showModal();
  close.focus();
}

/** Close without calling `onClose`: the address names no place any more. */
export function closeViewer() {
  shown = null;
  dialog.close();
}

/** @param {number} offset */
function step(offset) {
  const at = (shown?.at ?? 0) + offset;
  const place = shown?.places[at];
  if (!shown || !place) return;
  show(at);
  shown.onStep(place.place_id);
}

/** @param {number} at */
function show(at) {
  const place = shown?.places[at];
  if (!shown || !place) return;
  shown.at = at;
  linesToggle.hidden = !hasPoints(place);
  rank.textContent = place.rank ? words.viewerTitle(place.rank, shown.places.length) : words.placeNumber(place.place_id);
  const parts = splitName(place);
  name.textContent = parts.leaf;
  folder.textContent = parts.folder;
  note.textContent = '';
  matchName.textContent = place.rank ? words.match(place.rank) : words.inTheIndex;
  match.replaceChildren(originalOf(place, (why) => (note.textContent = why)));
  facts.replaceChildren(
    ...(place.rank && place.similarity !== undefined
      ? [similarityLine({ rank: place.rank, similarity: place.similarity })]
      : []),
    ...(place.probability === undefined
      ? []
      : [evidenceLine({ verified: place.verified ?? null, probability: place.probability })]),
    positionLine(place),
    ...[headingLine(place)].filter((line) => line !== null),
    element('a', { class: 'textual', href: `place?id=${place.place_id}` }, words.placePage),
  );
  // Not `disabled`, which would take the focus away from the button at either end.
  previous.setAttribute('aria-disabled', `${at === 0}`);
  next.setAttribute('aria-disabled', `${at === shown.places.length - 1}`);
  void showShared();
}

/**
 * Whether the points that the query photo and a place share can be shown. Those of a panorama's view
 * have other pixels in the panorama itself; of several photos, the shown one may not be the one found.
 * @param {ViewedPlace} place
 */
function hasPoints(place) {
  return shown?.photo?.files.length === 1 && !place.query_view;
}

/** Show the points that the query photo and the place share, as lines and in words. */
async function showShared() {
  abortController.abort();
  abortController = new AbortController();
  const { signal } = abortController;
  lines.clear();
  shared.textContent = '';
  const place = shown?.places[shown.at];
  if (!linesOn || !shown?.photo || !place || !hasPoints(place)) return;
  const { id, file, box } = shown.photo;
  const key = `${id}/${box}/${place.place_id}`;
  try {
    let answer = comparisons.get(key);
    if (!answer) {
      shared.textContent = words.lookingForPoints;
      answer = await comparePhotos(file, await readPhoto(place, signal), { signal }, box);
      comparisons.set(key, answer);
    }
    if (signal.aborted) return;
    // Where the search has verified the place, its own count and verdict stand.
    shared.textContent = place.verified
      ? words.sharedPoints(place.verified.inliers)
      : `${words.sharedPoints(answer.inliers)} ${verdictLine(answer)}${words.stop}`;
    const [queryImage, matchImage] = [query.querySelector('img'), match.querySelector('img')];
    if (queryImage && matchImage) lines.show(queryImage, matchImage, answer.matches);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    shared.textContent = words.noSharedPoints;
  }
}

/**
 * @param {string} name
 * @param {string} label
 * @param {() => void} onPress
 */
function iconButton(name, label, onPress) {
  const button = element('button', { type: 'button', class: 'tool', 'aria-label': label, title: label }, icon(name));
  button.addEventListener('click', onPress);
  return button;
}
