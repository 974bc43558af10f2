// The search page: a photo comes in, the most similar places come back.

import { readAddress, writeAddress } from './address.js';
import { ApiError, readPhoto, readPlace, searchPlaces } from './api.js';
import { announce, element, find } from './dom.js';
import { served } from './served.js';
import { formatSimilarity } from './format.js';
import { takeIn } from './photo-input.js';
import { keep, kept, latest } from './keep.js';
import { store, stored } from './key.js';
import { choosePart, showPart } from './part.js';
import { letNarrow, showNarrow } from './narrow.js';
import { persist } from './retry.js';
import { announceProgress, hidePreview, hideProgress, hideQueryFacts, previewAddress, showPreview, showProgress, showQueryFacts } from './preview.js';
import { hideProblem, showEmptyIndex, showProblem } from './problem.js';
import { candidatesOf, expectResults, focusCard, hideResults, showResults, verdictWords } from './results.js';
import { currentIndex, serverReady } from './server.js';
import { words } from './words.js';

/** @import { Address } from './address.js' */
/** @import { Settings } from './page-types.js' */
/** @import { ResultReply, SearchReply } from './types.js' */

/** @typedef {{photo: string | null, opened?: boolean}} Entry what the history keeps beside an address */

const kChoice = find('k', HTMLSelectElement);
const verifySwitch = find('verify', HTMLInputElement);
const areaNote = find('area', HTMLParagraphElement);
const mapBox = find('map-box', HTMLElement);
const viewer = find('viewer', HTMLDialogElement);
const intakeNote = find('intake-note', HTMLParagraphElement);

/** Photos that the server takes as one query. */
const MOST_TOGETHER = 16;
/** The share of the window's height within which the first result is seen without scrolling. */
const SEEN = 0.6;
/** Between the ids of photos that are one query. */
const TOGETHER = '+';
/** Where this tab keeps the ids of the photo at hand. */
const AT_HAND = 'place-search-photo';

/** @type {Address} */
let address = readAddress(location.search);
/** @type {{id: string, file: File, files: File[]} | null} `files` of one spot, of which `file` is shown */
let photo = null;
/** @type {{asked: string, reply: SearchReply} | null} the last one of the photo */
let answer = null;
/** Whether the page shows the answer: not while it waits for another, or tells a problem. */
let shown = false;
let running = new AbortController();

/** A search by all that it depends on: the same one is not sent again. */
const asked = () => JSON.stringify([photo?.id, address.settings]);

/** What is wanted, though its photo may still be on its way. @returns {Entry} */
const entry = () => ({ photo: history.state?.photo ?? null });

/**
 * Go to another state of the page, as a new entry of the history.
 * @param {Partial<Address>} changed
 * @param {Entry} [to]
 */
function go(changed, to = entry()) {
  const before = writeAddress(address);
  address = { ...address, ...changed };
  const after = writeAddress(address);
  // Pressed twice.
  if (after === before && to.photo === entry().photo) return;
  history.pushState(to, '', after);
  void follow();
}

/** Show what address and history entry say; what is under way for others of them ends. */
async function follow() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  showSettings();
  const wanted = entry().photo;
  if (wanted !== (photo?.id ?? null) || (!wanted && address.of !== null)) await changePhoto(wanted, signal);
  if (signal.aborted) return;
  if (photo && answer?.asked !== asked()) await search(signal);
  else if (answer && !shown) showReply(answer.reply);
  if (!signal.aborted) await showPlace(signal);
}

/**
 * @param {string | null} wanted id of a kept photo; null for that of the place in the address, or none
 * @param {AbortSignal} signal
 */
async function changePhoto(wanted, signal) {
  if (photo) waitForResults();
  const { of } = address;
  const together = wanted ? await allKept(wanted) : null;
  const file = together?.[0] ?? (of === null ? null : await photoOf(of, signal));
  const id = wanted ?? (file && (await keep(file)));
  if (signal.aborted) return;
  answer = null;
  hideAnswer();
  if (file && id) {
    const files = together ?? [file];
    photo = { id, file, files };
    history.replaceState({ ...history.state, photo: id }, '');
    store(AT_HAND, id);
    void closeViewer();
    await showPreview(file, files.length);
    if (photo?.file !== file) return;
    showPart(address.settings.box, files.length === 1);
    document.body.dataset['view'] = 'query';
    find('choose', HTMLSpanElement).textContent = words.chooseAnother;
  } else {
    photo = null;
    hidePreview();
    document.body.dataset['view'] = 'start';
    find('choose', HTMLSpanElement).textContent = words.choosePhoto;
    intakeNote.textContent = wanted ? words.photoForgotten : '';
  }
  scrollTo({ top: 0 });
}

/**
 * The photos that were kept together, null where one of them is not kept any more.
 * @param {string} ids
 */
async function allKept(ids) {
  const files = await Promise.all(ids.split(TOGETHER).map(kept));
  return files.includes(null) ? null : /** @type {File[]} */ (files);
}

/**
 * The photo of a place, to search with; null where there is none, or the reader has gone on.
 * @param {number} id
 * @param {AbortSignal} signal
 */
async function photoOf(id, signal) {
  try {
    return await readPhoto(await readPlace(id, signal), signal);
  } catch (error) {
    tell(error, signal);
    return null;
  }
}

/**
 * @param {unknown} error
 * @param {AbortSignal} signal
 */
function tell(error, signal) {
  if (signal.aborted) return;
  if (!(error instanceof ApiError)) throw error;
  showProblem(error.problem, [], follow);
}

/**
 * Search with the photo at hand, and go on until there is an answer or a problem that stays.
 * @param {AbortSignal} signal
 */
async function search(signal) {
  if (!photo) return;
  const { files } = photo;
  const isNew = answer === null;
  const key = asked();
  const { settings } = address;
  const send = () => {
    const places = currentIndex()?.places;
    waitForResults();
    announceProgress(words.uploadingStarted);
    return searchPlaces(files, settings, {
      signal,
      onUpload: (share) => showProgress(words.uploading(share), share),
      onUploaded: () => announceProgress(places ? words.searchingIn(places) : words.searching),
    });
  };
  const onProblem = () => {
    hideProgress();
    hideQueryFacts();
    hideAnswer();
  };
  const reply = await persist(send, { photos: files, signal, onProblem, again: follow });
  if (!reply) return;
  answer = { asked: key, reply };
  showReply(reply);
  const first = document.querySelector('#cards > li');
  // Whoever draws a part of the photo, or turns a switch, stays where that is.
  if (isNew && first && first.getBoundingClientRect().top > innerHeight * SEEN) find('results', HTMLDivElement).scrollIntoView();
}

function waitForResults() {
  shown = false;
  expectResults(address.settings.k);
}

function hideAnswer() {
  shown = false;
  hideResults();
  mapBox.hidden = true;
}

/** @param {SearchReply} reply */
function showReply(reply) {
  const { results } = reply;
  const first = results[0];
  hideProblem();
  hideProgress();
  showQueryFacts(reply);
  if (!first) {
    hideAnswer();
    shown = true;
    const { area, only } = address.settings;
    const narrowed = area !== null || Object.keys(only).length > 0;
    if (currentIndex()?.places === 0 || !narrowed) return showEmptyIndex();
    const why = find('query-facts', HTMLDivElement);
    announce(why.textContent ?? '');
    why.scrollIntoView({ block: 'nearest' });
    return;
  }
  const places = currentIndex()?.places ?? null;
  shown = true;
  showResults(reply, places, address.settings, { open, again: searchWith, ask });
  announce(words.firstIs(verdictWords(reply, places, address.settings), first.name, formatSimilarity(first.similarity)));
  void showMap(reply);
  void import('./viewer.js').catch(() => {}); // so that it opens at once
}

/** @param {SearchReply} reply */
async function showMap(reply) {
  const made = await import('./result-map.js').catch(() => null);
  // Another photo may have come meanwhile.
  if (made && shown && answer?.reply === reply) await made.showBesideMap(candidatesOf(reply), reply.location, open);
}

/** @param {ResultReply} result */
function open(result) {
  go({ place: result.place_id }, { ...entry(), opened: true });
}

/** @param {Partial<Settings>} changed */
function ask(changed) {
  go({ settings: { ...address.settings, ...changed } });
}

/** The settings for another photo, of which no part is chosen yet. */
const ofWholePhoto = () => ({ ...address.settings, box: null });

/** @param {{place_id: number}} place */
function searchWith({ place_id }) {
  go({ of: place_id, place: null, settings: ofWholePhoto() }, { photo: null });
}

const searched = () => photo && { ...photo, box: address.settings.box };

/**
 * Open the place that the address names, or close what is open.
 * @param {AbortSignal} signal
 */
async function showPlace(signal) {
  const { place } = address;
  if (place === null) return void closeViewer();
  const results = answer?.reply.results ?? [];
  const at = results.findIndex(({ place_id }) => place_id === place);
  const handlers = {
    /** @param {number} id */
    onStep: (id) => {
      address = { ...address, place: id };
      history.replaceState(history.state, '', writeAddress(address));
    },
    onClose: closePlace,
    again: searchWith,
  };
  try {
    const { openViewer } = await import('./viewer.js');
    if (signal.aborted) return;
    if (at >= 0) return openViewer(results, at, searched(), previewAddress(), handlers);
    const { place_id, name, position, utm, image_url, thumbnail_url } = await readPlace(place, signal);
    openViewer([{ place_id, name, position, utm, image_url, thumbnail_url }], 0, searched(), previewAddress(), handlers);
    if (!photo) intakeNote.textContent = words.photoNotInLink;
  } catch (error) {
    tell(error, signal);
  }
}

async function closeViewer() {
  if (viewer.open) (await import('./viewer.js')).closeViewer();
}

/** @param {number} at the result shown last */
function closePlace(at) {
  if (address.place === null) return;
  const cameByOpening = /** @type {Entry} */ (history.state)?.opened;
  address = { ...address, place: null };
  if (cameByOpening) history.back();
  else history.replaceState(history.state, '', writeAddress(address));
  focusCard(at);
}

function showSettings() {
  const { k, verify, area, box, only } = address.settings;
  const options = [...kChoice.options].map((option) => Number(option.value));
  if (!options.includes(k)) kChoice.add(element('option', {}, `${k}`));
  kChoice.value = `${k}`;
  verifySwitch.checked = verify;
  showNarrow(only);
  if (photo) showPart(box, photo.files.length === 1);
  areaNote.hidden = !area;
  if (!area) return;
  const everywhere = element('button', { type: 'button', class: 'textual' }, words.searchEverywhere);
  everywhere.addEventListener('click', () => ask({ area: null }));
  areaNote.replaceChildren(words.onlyWithin(area), ' ', everywhere);
}

/** @param {File[]} photos of one spot */
async function take(photos) {
  if (!photos.length) return;
  const id = (await Promise.all(photos.map(keep))).join(TOGETHER);
  go({ of: null, place: null, settings: ofWholePhoto() }, { photo: id });
}

takeIn(['photo', 'camera'], MOST_TOGETHER, take);
letNarrow((only) => ask({ only }));
choosePart((box) => ask({ box }));
void served.then(async ({ samples }) => {
  if (!samples) return;
  const { offerSamples } = await import('./samples.js');
  offerSamples(find('samples', HTMLDivElement), samples.queries.map((photo) => [photo]), take);
});
kChoice.addEventListener('change', () => ask({ k: Number(kChoice.value) }));
verifySwitch.addEventListener('change', () => ask({ verify: verifySwitch.checked }));
addEventListener('popstate', () => {
  hideProblem();
  address = readAddress(location.search);
  void follow();
});
find('save', HTMLButtonElement).addEventListener('click', () => {
  if (!answer) return;
  const file = new Blob([`${JSON.stringify(answer.reply, null, 2)}\n`], { type: 'application/json' });
  const link = element('a', { href: URL.createObjectURL(file), download: 'places.json' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

void serverReady().then(() => {
  if (currentIndex()?.places === 0 && !photo) showEmptyIndex();
});
// Who comes from the map with a circle means the photo at hand.
if (!history.state && address.settings.area && address.of === null) {
  const meant = stored(AT_HAND) || (await latest())?.id;
  // A photo may have come meanwhile.
  if (!history.state) history.replaceState({ photo: meant ?? null }, '');
}
void follow();
