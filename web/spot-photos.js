// The photos of a place's spot: shown, named, added, and taken out of it by who may.

import { ApiError } from './api.js';
import { announce, element, find } from './dom.js';
import { splitName } from './format.js';
import { placeWords } from './place-words.js';
import { hideProblem, showProblem } from './problem.js';
import { addPlace, changeSpot, newKey, readSpot } from './tend-api.js';
import { thumbnail } from './thumbnail.js';

/** @import { Spot, Tended } from './tend-api.js' */
/** @import { PlaceDetailsReply } from './types.js' */

/** @typedef {{spot: Spot | null, mayChange: boolean}} Page what the page holds of it */

const heading = find('spot-heading', HTMLHeadingElement);

/**
 * @param {number} id the place of the page
 * @param {Page} page
 * @param {(spot: Spot) => void} redraw
 */
export function showSpot(id, page, redraw) {
  if (!page.spot) return;
  const { photos, name, places } = page.spot.group;
  const rest = photos - places.length;
  find('spot-note', HTMLParagraphElement).textContent =
    photos > 1 || name ? `${placeWords.spotOf(photos, name)}${rest ? ` ${placeWords.spotMore(rest)}` : ''}` : placeWords.spotAlone;
  const shown = photos > 1 ? places : [];
  find('spot-photos', HTMLUListElement).replaceChildren(...shown.map((place) => card(place, id, page, redraw)));
  const tools = find('spot-tools', HTMLDivElement);
  if (!page.mayChange || photos < 2) tools.replaceChildren();
  else if (!tools.firstChild) tools.append(nameForm(id, page, redraw));
  const input = tools.querySelector('input');
  if (!input) return;
  // A name that is typed and not saved is kept.
  const untouched = input.value === input.defaultValue;
  input.defaultValue = name ?? '';
  if (untouched) input.value = input.defaultValue;
}

/** The change that is under way. @type {Promise<Spot | null> | null} */
let changing = null;

/**
 * Change the group of a place, after the change that is under way; null where that or this went
 * wrong, which the page says.
 * @param {number} id a place that stays in the group
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {Page} page
 * @param {(spot: Spot) => void} redraw
 * @param {number} [seen] the place of the page, where that is another
 */
export function changeWith(id, patch, page, redraw, seen = id) {
  const before = changing;
  const change = async () => (before && !(await before) ? null : changeNow(id, patch, page, redraw, seen));
  const mine = change().finally(() => {
    if (changing === mine) changing = null;
  });
  changing = mine;
  return mine;
}

/**
 * @param {number} id
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {Page} page
 * @param {(spot: Spot) => void} redraw
 * @param {number} seen
 * @param {Spot | null} [changed] where only the group of `seen` is still to be read
 * @returns {Promise<Spot | null>}
 */
async function changeNow(id, patch, page, redraw, seen, changed = null) {
  hideProblem();
  try {
    changed ??= await changeSpot(id, patch, page.spot?.etag).catch(nullWhereStale);
    const spot = changed && id === seen ? changed : await readSpot(seen);
    redraw(spot);
    if (changed) return spot;
    find('spot-note', HTMLParagraphElement).textContent = placeWords.spotConflict;
    announce(placeWords.spotConflict);
    heading.focus();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showProblem(error.problem, [], () => void changeNow(id, patch, page, redraw, seen, changed));
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
 * @param {(spot: Spot) => void} redraw
 */
function card(place, id, page, redraw) {
  const here = place.place_id === id;
  const item = element(
    'li',
    { class: here ? 'here' : null },
    element(
      'a',
      { href: `place?id=${place.place_id}`, title: place.name, 'aria-current': here ? 'page' : null },
      element('span', { class: 'frame' }, thumbnail(place.thumbnail_url)),
      element('span', { class: 'name' }, here ? placeWords.thisPhoto : splitName(place).leaf),
    ),
  );
  if (!page.mayChange) return item;
  const part = element('button', { type: 'button', class: 'textual', 'aria-label': placeWords.notHereNamed(place.name) }, placeWords.notHere);
  part.addEventListener('click', async () => {
    // A place cannot be taken out of the group that it names itself.
    const other = here ? page.spot?.group.place_ids.find((one) => one !== id) : id;
    if (other === undefined) return;
    if (await changeWith(other, { remove: [place.place_id] }, page, redraw, id)) {
      announce(placeWords.spotChanged);
      heading.focus();
    }
  });
  item.append(part);
  return item;
}

/**
 * @param {number} id
 * @param {Page} page
 * @param {(spot: Spot) => void} redraw
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
    const saved = await changeWith(id, { name: typed.trim() || null }, page, redraw);
    input.focus();
    if (!saved) return;
    if (input.value === typed) input.value = input.defaultValue;
    announce(placeWords.saved);
  });
  return form;
}

/**
 * @param {{tended: Tended | null, spot: Spot | null}} page
 * @param {(spot: Spot) => void} redraw
 */
export function addButton(page, redraw) {
  const said = element('span', { class: 'note', role: 'status' });
  const input = element('input', { type: 'file', id: 'add-photo', class: 'offscreen', accept: 'image/*,.heic,.heif,.avif' });
  const label = element('label', { class: 'button quiet', for: 'add-photo' }, placeWords.addPhoto);
  let adding = 0;
  const add = async (/** @type {File} */ photo, /** @type {string} */ key) => {
    if (!page.tended) return;
    const { place_id, position } = page.tended.place;
    const { activeElement: from } = document;
    hideProblem();
    said.textContent = placeWords.adding;
    adding += 1;
    try {
      const added = await addPlace(photo, position, key);
      const known = added.place_id === place_id || page.spot?.group.place_ids.includes(added.place_id);
      redraw(await (known ? readSpot(place_id) : changeSpot(place_id, { add: [added.place_id] })));
      said.textContent = known ? placeWords.addedBefore(photo.name) : placeWords.added(photo.name);
      if (document.activeElement === from) heading.focus();
    } catch (error) {
      said.textContent = '';
      if (!(error instanceof ApiError)) throw error;
      showProblem(error.problem, [photo], () => void add(photo, key));
    } finally {
      adding -= 1;
    }
  };
  input.addEventListener('change', () => {
    const [photo] = input.files ?? [];
    input.value = '';
    if (photo) void add(photo, newKey());
  });
  addEventListener('beforeunload', (event) => {
    if (adding) event.preventDefault();
  });
  return element('p', { class: 'actions' }, input, label, said);
}
