// The photos of a place's spot, its name, and the controls that change both.

import { ApiError } from './api.js';
import { announce, element, find } from './dom.js';
import { splitName } from './format.js';
import { placeWords } from './place-words.js';
import { sentenceElement } from './problem-text.js';
import { hideProblem, showProblem } from './problem.js';
import { addPlace, changeGroup, newIdempotencyKey, readGroup } from './edit-api.js';
import { thumbnail } from './thumbnail.js';

/** @import { GroupVersion, PlaceVersion } from './edit-api.js' */
/** @import { PlaceDetailsReply } from './types.js' */

/** @typedef {{spot: GroupVersion | null, mayChange: boolean}} Page the part of the page's state that this module uses */

const heading = find('spot-heading', HTMLHeadingElement);

/**
 * @param {number} id of the page's place
 * @param {Page} page
 * @param {(spot: GroupVersion) => void} redraw
 */
export function showSpot(id, page, redraw) {
  if (!page.spot) return;
  const { photos, name, places } = page.spot.group;
  const unlisted = photos - places.length;
  find('spot-note', HTMLParagraphElement).textContent =
    photos > 1 || name ? `${placeWords.spotOf(photos, name)}${unlisted ? ` ${placeWords.spotMore(unlisted)}` : ''}` : placeWords.spotAlone;
  const shown = photos > 1 ? places : [];
  find('spot-photos', HTMLUListElement).replaceChildren(...shown.map((place) => card(place, id, page, redraw)));
  const tools = find('spot-tools', HTMLDivElement);
  if (!page.mayChange || photos < 2) tools.replaceChildren();
  else if (!tools.firstChild) tools.append(nameForm(id, page, redraw));
  const input = tools.querySelector('input');
  if (!input) return;
  // The input keeps a name that the reader has typed and not saved.
  const untouched = input.value === input.defaultValue;
  input.defaultValue = name ?? '';
  if (untouched) input.value = input.defaultValue;
}

/** The running change. @type {Promise<GroupVersion | null> | null} */
let runningChange = null;

/**
 * Change the group of a place, after the running change; null where one of them failed, which the
 * page shows.
 * @param {number} id a place that stays in the group
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {Page} page
 * @param {(spot: GroupVersion) => void} redraw
 * @param {number} [pageId] id of the page's place, where `id` is another
 */
export function queueChange(id, patch, page, redraw, pageId = id) {
  const previous = runningChange;
  const change = async () => (previous && !(await previous) ? null : changeNow(id, patch, page, redraw, pageId));
  const ownChange = change().finally(() => {
    if (runningChange === ownChange) runningChange = null;
  });
  runningChange = ownChange;
  return ownChange;
}

/**
 * @param {number} id
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {Page} page
 * @param {(spot: GroupVersion) => void} redraw
 * @param {number} pageId
 * @param {GroupVersion | null} [changed] the group, where it is changed already
 * @returns {Promise<GroupVersion | null>}
 */
async function changeNow(id, patch, page, redraw, pageId, changed = null) {
  hideProblem();
  try {
    changed ??= await changeGroup(id, patch, page.spot?.etag).catch(nullWhereStale);
    const spot = changed && id === pageId ? changed : await readGroup(pageId);
    redraw(spot);
    if (changed) return spot;
    find('spot-note', HTMLParagraphElement).textContent = placeWords.spotConflict;
    announce(placeWords.spotConflict);
    heading.focus();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showProblem(error.problem, [], () => void changeNow(id, patch, page, redraw, pageId, changed));
  }
  return null;
}

/** @param {unknown} error */
function nullWhereStale(error) {
  if (error instanceof ApiError && error.problem.status === 412) return null;
  throw error;
}

/**
 * @param {PlaceDetailsReply} place
 * @param {number} id
 * @param {Page} page
 * @param {(spot: GroupVersion) => void} redraw
 */
function card(place, id, page, redraw) {
  const isPagePlace = place.place_id === id;
  const item = element(
    'li',
    { class: isPagePlace ? 'here' : null },
    element(
      'a',
      { href: `place?id=${place.place_id}`, title: place.name, 'aria-current': isPagePlace ? 'page' : null },
      element('span', { class: 'frame' }, thumbnail(place.thumbnail_url)),
      element('span', { class: 'name' }, isPagePlace ? placeWords.thisPhoto : splitName(place).leaf),
    ),
  );
  if (!page.mayChange) return item;
  const removeButton = element('button', { type: 'button', class: 'textual', 'aria-label': placeWords.notHereNamed(place.name) }, placeWords.notHere);
  removeButton.addEventListener('click', async () => {
    // The server removes a place from the group of another place only.
    const memberId = isPagePlace ? page.spot?.group.place_ids.find((placeId) => placeId !== id) : id;
    if (memberId === undefined) return;
    if (await queueChange(memberId, { remove: [place.place_id] }, page, redraw, id)) {
      announce(placeWords.spotChanged);
      heading.focus();
    }
  });
  item.append(removeButton);
  return item;
}

/**
 * @param {number} id
 * @param {Page} page
 * @param {(spot: GroupVersion) => void} redraw
 */
function nameForm(id, page, redraw) {
  const input = element('input', { id: 'spot-name', maxlength: 200, autocomplete: 'off' });
  const form = element(
    'form',
    { class: 'spot-name' },
    element('label', {}, placeWords.spotName, input),
    element('button', { class: 'button quiet' }, placeWords.saveSpotName),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const typed = input.value;
    const saved = await queueChange(id, { name: typed.trim() || null }, page, redraw);
    input.focus();
    if (!saved) return;
    if (input.value === typed) input.value = input.defaultValue;
    announce(placeWords.saved);
  });
  return form;
}

/**
 * @param {{placeVersion: PlaceVersion | null, spot: GroupVersion | null}} page
 * @param {(spot: GroupVersion) => void} redraw
 */
export function addButton(page, redraw) {
  const status = element('span', { class: 'note', role: 'status' });
  const input = element('input', { type: 'file', id: 'add-photo', class: 'offscreen', accept: 'image/*,.heic,.heif,.avif' });
  const label = element('label', { class: 'button quiet', for: 'add-photo' }, placeWords.addPhoto);
  let uploads = 0;
  const add = async (/** @type {File} */ photo, /** @type {string} */ key) => {
    if (!page.placeVersion) return;
    const { place_id, position } = page.placeVersion.place;
    const { activeElement: focusBefore } = document;
    hideProblem();
    status.textContent = placeWords.adding;
    uploads += 1;
    try {
      const added = await addPlace(photo, position, key);
      const wasMember = added.place_id === place_id || page.spot?.group.place_ids.includes(added.place_id);
      redraw(await (wasMember ? readGroup(place_id) : changeGroup(place_id, { add: [added.place_id] })));
      const { notes = [], reasons } = added;
      status.replaceChildren(
        wasMember ? placeWords.addedBefore(photo.name) : placeWords.added(photo.name),
        ...notes.flatMap((note, at) => [' ', sentenceElement('span', note, reasons[at])]),
      );
      if (document.activeElement === focusBefore) heading.focus();
    } catch (error) {
      status.textContent = '';
      if (!(error instanceof ApiError)) throw error;
      showProblem(error.problem, [photo], () => void add(photo, key));
    } finally {
      uploads -= 1;
    }
  };
  input.addEventListener('change', () => {
    const [photo] = input.files ?? [];
    input.value = '';
    if (photo) void add(photo, newIdempotencyKey());
  });
  addEventListener('beforeunload', (event) => {
    if (uploads) event.preventDefault();
  });
  return element('p', { class: 'actions' }, input, label, status);
}
