// The search page: a photo comes in, the most similar places come back.

import { readAddress, writeAddress } from './address.js';
import { readPhoto, readPlace, searchPlaces } from './api.js';
import { announce, element, find } from './dom.js';
import { showFilters, watchFilters } from './filters.js';
import { formatSimilarity } from './format.js';
import { sessionValue, setSessionValue } from './key.js';
import { pageInfo } from './page-info.js';
import { showPart, watchPart } from './part.js';
import { watchPhotos } from './photo-input.js';
import { keepPhoto, keptPhoto, latestPhoto } from './photo-store.js';
import { sendWithRetries } from './retry.js';
import { announceProgress, hidePreview, hideProgress, hideQueryFacts, previewAddress, showPreview, showProgress, showQueryFacts } from './preview.js';
import { hideProblem, showEmptyIndex } from './problem.js';
import { candidatesOf, expectResults, focusResult, hideResults, showResults, verdictWords } from './results.js';
import { currentIndex, serverReady } from './server.js';
import { words } from './words.js';

/** @import { Address } from './address.js' */
/** @import { Settings } from './page-types.js' */
/** @import { ResultReply, SearchReply } from './types.js' */

/** @typedef {{photo: string | null, opened?: boolean}} Entry the state that the history keeps beside an address */

const kChoice = find('k', HTMLSelectElement);
const verifySwitch = find('verify', HTMLInputElement);
const areaNote = find('area', HTMLParagraphElement);
const mapBox = find('map-box', HTMLElement);
const viewer = find('viewer', HTMLDialogElement);
const intakeNote = find('intake-note', HTMLParagraphElement);

/** The most photos that the server takes as one query. */
const MAX_QUERY_PHOTOS = 16;
/** The share of the window's height above which the first result needs no scrolling. */
const VISIBLE_SHARE = 0.6;
/** The separator between the ids of photos that are one query. */
const ID_SEPARATOR = '+';
/** The key of the session storage for the ids of the photos that were searched with last. */
const LAST_PHOTO = 'place-search-photo';

/** @type {Address} */
let address = readAddress(location.search);
/** @type {{id: string, file: File, files: File[]} | null} `files` show one spot, and the page shows `file` */
let photo = null;
/** @type {{searchKey: string, reply: SearchReply} | null} the last answer for the photo */
let answer = null;
/** Whether the page shows the answer: false while it waits for the next one or shows a problem. */
let answerShown = false;
let abortController = new AbortController();

/** The photo and the settings of a search: a search with the same key is not sent again. */
const searchKey = () => JSON.stringify([photo?.id, address.settings]);

/** The current entry of the history, whose photo may still be loading. @returns {Entry} */
const historyEntry = () => ({ photo: history.state?.photo ?? null });

/**
 * Go to another state of the page, as a new entry of the history.
 * @param {Partial<Address>} changed
 * @param {Entry} [entry]
 */
function navigate(changed, entry = historyEntry()) {
  const before = writeAddress(address);
  address = { ...address, ...changed };
  const after = writeAddress(address);
  // The reader pressed the same button twice.
  if (after === before && entry.photo === historyEntry().photo) return;
  history.pushState(entry, '', after);
  void showState();
}

/** Show the state of the address and the history entry; abort the requests of earlier states. */
async function showState() {
  abortController.abort();
  abortController = new AbortController();
  const { signal } = abortController;
  showSettings();
  const photoId = historyEntry().photo;
  if (photoId !== (photo?.id ?? null) || (!photoId && address.of !== null)) await changePhoto(photoId, signal);
  if (signal.aborted) return;
  if (photo && answer?.searchKey !== searchKey()) await search(signal);
  else if (answer && !answerShown) showReply(answer.reply);
  if (!signal.aborted) await showPlace(signal);
}

/**
 * @param {string | null} keptId ids of kept photos; null for the photo of the address's place, or none
 * @param {AbortSignal} signal
 */
async function changePhoto(keptId, signal) {
  if (photo) waitForResults();
  const { of } = address;
  const keptFiles = keptId ? await keptPhotos(keptId) : null;
  const file = keptFiles?.[0] ?? (of === null ? null : await photoOf(of, signal));
  const id = keptId ?? (file && (await keepPhoto(file)));
  if (signal.aborted) return;
  answer = null;
  hideAnswer();
  if (file && id) {
    const files = keptFiles ?? [file];
    photo = { id, file, files };
    history.replaceState({ ...history.state, photo: id }, '');
    setSessionValue(LAST_PHOTO, id);
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
    intakeNote.textContent = keptId ? words.photoForgotten : '';
  }
  scrollTo({ top: 0 });
}

/**
 * The kept photos of several ids; null where the browser has deleted one of them.
 * @param {string} ids
 */
async function keptPhotos(ids) {
  const files = await Promise.all(ids.split(ID_SEPARATOR).map(keptPhoto));
  return files.includes(null) ? null : /** @type {File[]} */ (files);
}

/**
 * The photo of a place, to search with; null after an error, which the page shows.
 * @param {number} id
 * @param {AbortSignal} signal
 */
async function photoOf(id, signal) {
  return ask(async () => readPhoto(await readPlace(id, signal), signal), signal, hideAnswer);
}

/**
 * The answer of a request about a place; null after an error, which the page shows.
 * @template T
 * @param {() => Promise<T>} send
 * @param {AbortSignal} signal
 * @param {() => void} [onProblem]
 */
const ask = (send, signal, onProblem = () => {}) => sendWithRetries(send, { photos: [], signal, onProblem, onRetry: showState });

/**
 * Search with the current photo, and retry until the server answers or the reader must act.
 * @param {AbortSignal} signal
 */
async function search(signal) {
  if (!photo) return;
  const { files } = photo;
  const isFirstAnswer = answer === null;
  const key = searchKey();
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
  const reply = await sendWithRetries(send, { photos: files, signal, onProblem, onRetry: showState });
  if (!reply) return;
  answer = { searchKey: key, reply };
  showReply(reply);
  // The index has changed since the page read it, so its number of places may have, too.
  if (currentIndex() && currentIndex()?.index_id !== reply.index_id) {
    void serverReady().then(() => !signal.aborted && showReply(reply));
  }
  const first = document.querySelector('#cards > li');
  // A reader who draws a part of the photo or turns a switch is not scrolled away from it.
  if (isFirstAnswer && first && first.getBoundingClientRect().top > innerHeight * VISIBLE_SHARE) find('results', HTMLDivElement).scrollIntoView();
}

function waitForResults() {
  answerShown = false;
  expectResults(address.settings.k);
}

function hideAnswer() {
  answerShown = false;
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
    answerShown = true;
    const { area, only } = address.settings;
    const narrowed = area !== null || Object.keys(only).length > 0;
    if (currentIndex()?.places === 0 || !narrowed) return showEmptyIndex();
    const queryFacts = find('query-facts', HTMLDivElement);
    announce(queryFacts.textContent ?? '');
    queryFacts.scrollIntoView({ block: 'nearest' });
    return;
  }
  const places = currentIndex()?.places ?? null;
  answerShown = true;
  showResults(reply, places, address.settings, { open, searchWithPlace, changeSettings });
  announce(words.firstIs(verdictWords(reply, places, address.settings), first.name, formatSimilarity(first.similarity)));
  void showMap(reply);
  void import('./viewer.js').catch(() => {}); // loaded early, so that the viewer opens at once
}

/** @param {SearchReply} reply */
async function showMap(reply) {
  const resultMap = await import('./result-map.js').catch(() => null);
  // The reader may have chosen another photo while the module was loading.
  if (resultMap && answerShown && answer?.reply === reply) await resultMap.showResultMap(candidatesOf(reply), reply.location, open);
}

/** @param {ResultReply} result */
function open(result) {
  navigate({ place: result.place_id }, { ...historyEntry(), opened: true });
}

/** @param {Partial<Settings>} changed */
function changeSettings(changed) {
  navigate({ settings: { ...address.settings, ...changed } });
}

/** The settings without a part of the photo: a new photo is searched with as a whole. */
const wholePhotoSettings = () => ({ ...address.settings, box: null });

/** @param {{place_id: number}} place */
function searchWithPlace({ place_id }) {
  navigate({ of: place_id, place: null, settings: wholePhotoSettings() }, { photo: null });
}

const searchedPhoto = () => photo && { ...photo, box: address.settings.box };

/**
 * Open the viewer with the place that the address names, or close it.
 * @param {AbortSignal} signal
 */
async function showPlace(signal) {
  const { place } = address;
  // A search that failed shows why, and a place is opened after it.
  if (place === null || (photo && answer?.searchKey !== searchKey())) return void closeViewer();
  const results = answer?.reply.results ?? [];
  const at = results.findIndex(({ place_id }) => place_id === place);
  const handlers = {
    /** @param {number} id */
    onStep: (id) => {
      address = { ...address, place: id };
      history.replaceState(history.state, '', writeAddress(address));
    },
    onClose: closePlace,
    searchWithPlace,
  };
  const { openViewer } = await import('./viewer.js');
  if (signal.aborted) return;
  if (at >= 0) return openViewer(results, at, searchedPhoto(), previewAddress(), handlers);
  const id = place;
  const read = await ask(() => readPlace(id, signal), signal);
  if (!read) return;
  const { place_id, name, position, utm, image_url, thumbnail_url } = read;
  openViewer([{ place_id, name, position, utm, image_url, thumbnail_url }], 0, searchedPhoto(), previewAddress(), handlers);
  if (!photo) intakeNote.textContent = words.photoNotInLink;
}

async function closeViewer() {
  if (viewer.open) (await import('./viewer.js')).closeViewer();
}

/** @param {number} at index of the result that was shown last */
function closePlace(at) {
  if (address.place === null) return;
  const openedFromPage = /** @type {Entry} */ (history.state)?.opened;
  address = { ...address, place: null };
  if (openedFromPage) history.back();
  else history.replaceState(history.state, '', writeAddress(address));
  focusResult(at);
}

function showSettings() {
  const { k, verify, area, box, only } = address.settings;
  const options = [...kChoice.options].map((option) => Number(option.value));
  if (!options.includes(k)) kChoice.add(element('option', {}, `${k}`));
  kChoice.value = `${k}`;
  verifySwitch.checked = verify;
  showFilters(only);
  if (photo) showPart(box, photo.files.length === 1);
  areaNote.hidden = !area;
  if (!area) return;
  const everywhereButton = element('button', { type: 'button', class: 'textual' }, words.searchEverywhere);
  everywhereButton.addEventListener('click', () => changeSettings({ area: null }));
  areaNote.replaceChildren(words.onlyWithin(area), ' ', everywhereButton);
}

/** @param {File[]} photos of one spot */
async function searchWithPhotos(photos) {
  if (!photos.length) return;
  const id = (await Promise.all(photos.map(keepPhoto))).join(ID_SEPARATOR);
  navigate({ of: null, place: null, settings: wholePhotoSettings() }, { photo: id });
}

watchPhotos(['photo', 'camera'], MAX_QUERY_PHOTOS, searchWithPhotos);
watchFilters((only) => changeSettings({ only }));
watchPart((box) => changeSettings({ box }));
void pageInfo.then(async ({ samples }) => {
  if (!samples) return;
  const { offerSamples } = await import('./samples.js');
  offerSamples(find('samples', HTMLDivElement), samples.queries.map((photo) => [photo]), searchWithPhotos);
});
kChoice.addEventListener('change', () => changeSettings({ k: Number(kChoice.value) }));
verifySwitch.addEventListener('change', () => changeSettings({ verify: verifySwitch.checked }));
addEventListener('popstate', () => {
  hideProblem();
  address = readAddress(location.search);
  void showState();
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
// A reader who draws a circle on the map searches in it with the last photo.
if (!history.state && address.settings.area && address.of === null) {
  const lastId = sessionValue(LAST_PHOTO) || (await latestPhoto())?.id;
  // The reader may have chosen a photo while the store was read.
  if (!history.state) history.replaceState({ photo: lastId ?? null }, '');
}
void showState();
