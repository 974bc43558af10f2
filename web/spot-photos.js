// The photos of a place's spot: shown, named, and taken out of it by who may.

import { ApiError, showPicture } from './api.js';
import { announce, element, find } from './dom.js';
import { splitName } from './format.js';
import { placeWords } from './place-words.js';
import { hideProblem, showProblem } from './problem.js';
import { changeSpot, readSpot } from './tend-api.js';

/** @import { Spot } from './tend-api.js' */
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
  find('spot-tools', HTMLDivElement).replaceChildren(...(page.mayChange && photos > 1 ? [nameForm(id, page, redraw)] : []));
}

/**
 * Change the group of a place; null where that went wrong, which the page says.
 * @param {number} id a place that stays in the group
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {Page} page
 * @param {(spot: Spot) => void} redraw
 * @param {number} [seen] the place of the page, where that is another
 */
export async function changeWith(id, patch, page, redraw, seen = id) {
  hideProblem();
  try {
    await changeSpot(id, patch, page.spot?.etag);
    const spot = await readSpot(seen);
    redraw(spot);
    return spot;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.problem.status === 412) {
      redraw(await readSpot(seen));
      find('spot-note', HTMLParagraphElement).textContent = placeWords.spotConflict;
      announce(placeWords.spotConflict);
      heading.focus();
    } else {
      showProblem(error.problem, [], () => void changeWith(id, patch, page, redraw, seen));
    }
    return null;
  }
}

/**
 * @param {PlaceDetailsReply} place
 * @param {number} id
 * @param {Page} page
 * @param {(spot: Spot) => void} redraw
 */
function card(place, id, page, redraw) {
  const here = place.place_id === id;
  const image = element('img', { alt: '', decoding: 'async' });
  void showPicture(image, place.thumbnail_url);
  const item = element(
    'li',
    { class: here ? 'here' : null },
    element(
      'a',
      { href: `place?id=${place.place_id}`, title: place.name, 'aria-current': here ? 'page' : null },
      element('span', { class: 'frame' }, image),
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
  const input = element('input', { id: 'spot-name', maxlength: 200, autocomplete: 'off', value: page.spot?.group.name ?? '' });
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
    if (saved) announce(placeWords.saved);
    const shown = document.getElementById('spot-name');
    if (!(shown instanceof HTMLInputElement)) return;
    if (!saved) shown.value = typed;
    shown.focus();
  });
  return form;
}
