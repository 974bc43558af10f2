// The places found, as cards.

import { photoSized, showPicture } from './api.js';
import { positionButton } from './copy.js';
import { element, find, icon } from './dom.js';
import { UNSURE_FROM, distanceM, formatSimilarity, splitName } from './format.js';
import { remedies } from './remedies.js';
import { thumbnail } from './thumbnail.js';
import { words } from './words.js';

/** @import { Settings } from './page-types.js' */
/** @import { PositionReply, ResultReply, SearchReply } from './types.js' */

/**
 * @typedef {object} Handlers
 * @property {(result: ResultReply) => void} open
 * @property {(result: ResultReply) => void} again search with its photo
 * @property {(changed: Partial<Settings>) => void} ask search with the same photo, but otherwise
 */

const GHOSTS = 10;
let foundFrom = 1;
/** @type {HTMLElement[]} the card of each result; those of one spot share one */
let shown = [];

const section = find('results', HTMLDivElement);
const title = find('answer-title', HTMLHeadingElement);
const cards = find('cards', HTMLOListElement);
const elsewhere = find('elsewhere', HTMLDetailsElement);
const elsewhereCards = find('elsewhere-cards', HTMLOListElement);
const facts = find('summary-facts', HTMLParagraphElement);
const order = find('order', HTMLParagraphElement);
const remedyList = find('remedies', HTMLUListElement);
const estimate = find('estimate', HTMLParagraphElement);

/**
 * @param {SearchReply} reply
 * @param {number | null} places in the whole index
 * @param {Settings} settings it was asked with
 * @param {Handlers} handlers
 */
export function showResults(reply, places, settings, handlers) {
  const ms = reply.timings_ms['total'] ?? 0;
  const { verdict } = reply.match;
  foundFrom = reply.match.threshold;
  title.className = `verdict ${verdict}`;
  title.replaceChildren(icon(verdict), verdictWords(reply, places, settings));
  estimate.replaceChildren(...(reply.location ? [words.estimate(reply.location), ' ', positionButton(reply.location)] : []));
  shown = cardsOf(reply, handlers);
  facts.textContent = words.facts(shown.length, new Set(shown).size, places, ms);
  const ranks = new Set(candidatesOf(reply).map(({ rank }) => rank));
  const here = new Set(shown.filter((_, at) => ranks.has(at + 1)));
  cards.replaceChildren(...here);
  showElsewhere([...new Set(shown)].filter((card) => !here.has(card)));
  remedyList.replaceChildren(...remedies(reply, settings, handlers.ask));
  remedyList.hidden = verdict === 'found';
  const checked = reply.results.some(({ verified }) => verified);
  order.textContent = verdict === 'not_found' ? '' : checked ? words.orderChecked : words.orderSimilar;
  setBusy(false);
  section.hidden = false;
}

/** @param {boolean} busy */
function setBusy(busy) {
  if (busy) section.setAttribute('aria-busy', 'true');
  else section.removeAttribute('aria-busy');
  cards.inert = elsewhereCards.inert = busy;
}

/**
 * The results that may show the photo's place: none where the verdict is that it is not here.
 * @param {SearchReply} reply
 */
export function candidatesOf({ match, results }) {
  return match.verdict === 'not_found' ? [] : results.filter(({ probability }) => probability >= UNSURE_FROM);
}

/** @param {HTMLElement[]} away cards */
function showElsewhere(away) {
  elsewhere.open = false;
  elsewhere.hidden = away.length === 0;
  find('elsewhere-title', HTMLElement).textContent = words.elsewhereMore(away.length);
  elsewhereCards.replaceChildren(...away);
}

/**
 * @param {SearchReply} reply
 * @param {number | null} places in the whole index
 * @param {Settings} settings it was asked with
 */
export function verdictWords({ match: { verdict } }, places, { area, only }) {
  if (verdict !== 'not_found') return words[verdict];
  if (Object.keys(only).length) return words.notInFiltered;
  return area ? words.notInCircle : words.notFound(places);
}

/**
 * Keep what is there, dimmed and not to be pressed, until the next results come; with nothing
 * there, show empty cards.
 * @param {number} k
 */
export function expectResults(k) {
  setBusy(true);
  if (section.hidden) {
    title.className = '';
    title.textContent = words.searching;
    facts.textContent = '';
    estimate.replaceChildren();
    remedyList.hidden = true;
    order.textContent = words.orderSimilar;
    cards.replaceChildren(...Array.from({ length: Math.min(k, GHOSTS) }, ghost));
    section.hidden = false;
  }
}

export function hideResults() {
  section.hidden = true;
  cards.replaceChildren();
  showElsewhere([]);
}

/** @param {number} at */
export function focusCard(at) {
  const focused = shown[at];
  if (focused && elsewhere.contains(focused)) elsewhere.open = true;
  focused?.querySelector('button')?.focus();
}

/**
 * The card of each result: photos of one spot are on that of the best of them.
 * @param {SearchReply} reply
 * @param {Handlers} handlers
 */
function cardsOf({ results, location }, handlers) {
  /** @type {Map<number, HTMLElement>} */
  const spots = new Map();
  return results.map((result) => {
    const { group } = result;
    const known = group && spots.get(group.id);
    if (known) {
      known.querySelector('.spot')?.append(element('li', {}, frame(result, handlers)));
      return known;
    }
    const made = card(result, location, handlers);
    if (group) spots.set(group.id, made);
    return made;
  });
}

/**
 * A photo that opens larger.
 * @param {ResultReply} result
 * @param {Handlers} handlers
 */
function frame(result, handlers) {
  const label = words.openLarger(result.rank, result.name);
  const image = result.rank === 1 ? sharpened(result) : thumbnailOf(result);
  const photo = element('button', { type: 'button', class: 'frame', 'aria-label': label }, image);
  photo.addEventListener('click', () => handlers.open(result));
  return photo;
}

/**
 * @param {ResultReply} result
 * @param {PositionReply | null} location the estimate
 * @param {Handlers} handlers
 */
function card(result, location, handlers) {
  const { leaf, folder } = splitName(result);
  const { group } = result;
  const more = group ? group.photos - 1 : 0;
  const again = element(
    'button',
    { type: 'button', class: 'textual again', 'aria-label': words.searchAgainWith(result.rank, result.name) },
    icon('again'),
    words.searchAgain,
  );
  again.addEventListener('click', () => handlers.again(result));
  return element(
    'li',
    { class: 'card' },
    frame(result, handlers),
    element(
      'div',
      { class: 'facts' },
      similarityLine(result),
      evidenceLine(result),
      element('h3', { class: 'name', title: result.name }, leaf),
      folder ? element('p', { class: 'folder', title: result.name }, folder) : null,
      whereabouts(result, location),
      lookingLine(result),
      group?.name ? element('p', { class: 'folder' }, group.name) : null,
      more ? element('p', { class: 'folder' }, words.morePhotos(more)) : null,
      more ? element('ul', { class: 'spot', 'aria-label': words.morePhotos(more) }) : null,
      again,
    ),
  );
}

function ghost() {
  return element('li', { class: 'card ghost', 'aria-hidden': true }, element('div', { class: 'frame' }));
}

/**
 * The most similar place is shown larger than thumbnails are made for.
 * @param {ResultReply} result
 */
function sharpened(result) {
  const image = thumbnailOf(result);
  image.addEventListener(
    'load',
    async () => {
      if (image.clientWidth * devicePixelRatio < image.naturalWidth * 1.2) return;
      const sharp = element('img', { alt: '' });
      const { clientWidth, clientHeight, naturalWidth, naturalHeight } = image;
      const larger = Math.max(clientWidth / naturalWidth, clientHeight / naturalHeight);
      const side = larger * Math.max(naturalWidth, naturalHeight);
      await showPicture(sharp, photoSized(result, side));
      await sharp.decode().then(
        () => image.replaceWith(sharp),
        () => {}, // the thumbnail stays
      );
    },
    { once: true },
  );
  return image;
}

/** @param {ResultReply} result */
function thumbnailOf(result) {
  // The frame around it has its size from the style sheet, so a late photo moves nothing.
  return thumbnail(result.thumbnail_url, { loading: 'lazy' });
}

/**
 * Whether a result shows the photo's place, and what that stands on.
 * @param {Pick<ResultReply, 'verified' | 'probability'>} result
 */
export function evidenceLine({ verified, probability }) {
  const found = probability >= foundFrom;
  const unsure = !found && probability >= UNSURE_FROM;
  const say = found ? words.isFound : unsure ? words.isUnsure : words.isElsewhere;
  return element(
    'p',
    { class: found ? 'verified agrees' : 'verified' },
    found || unsure ? icon(found ? 'found' : 'unsure') : null,
    say(probability, verified ? verified.inliers : null),
  );
}

/**
 * Rank and similarity, as a number and a bar.
 * @param {Pick<ResultReply, 'rank' | 'similarity'>} result
 */
export function similarityLine({ rank, similarity }) {
  const bar = element('span', { class: 'meter', 'aria-hidden': true });
  bar.style.setProperty('--share', `${Math.min(Math.max(similarity, 0), 1)}`);
  return element(
    'p',
    { class: 'similarity' },
    element('span', { class: 'rank' }, element('span', { class: 'offscreen' }, words.rank(rank)), spoken(`${rank}`)),
    element('span', { class: 'offscreen' }, ', '),
    element('span', { class: 'what' }, `${words.similarity} `),
    element('span', { class: 'number' }, formatSimilarity(similarity)),
    bar,
  );
}

/** @param {string} seen shown, while a fuller wording beside it is spoken */
function spoken(seen) {
  return element('span', { 'aria-hidden': true }, seen);
}

/**
 * Where a place's photo looks, and where a panorama that was searched with shows the place.
 * @param {Pick<ResultReply, 'heading' | 'query_view'>} result
 */
export function lookingLine({ heading, query_view }) {
  const said = [typeof heading === 'number' ? words.looking(heading) : '', query_view ? words.inPanorama(query_view) : ''];
  return said.some(Boolean) ? element('p', { class: 'folder looking' }, said.filter(Boolean).join(' · ')) : null;
}

/**
 * Where a place is, as far as its index knows, and how far from the estimate.
 * @param {Pick<ResultReply, 'position' | 'utm'>} place
 * @param {PositionReply | null} [location]
 */
export function whereabouts({ position, utm }, location = null) {
  if (position) {
    return element(
      'p',
      { class: 'where' },
      positionButton(position),
      location ? element('span', { class: 'away' }, words.fromEstimate(distanceM(position, location))) : null,
    );
  }
  if (utm) return element('p', { class: 'where none' }, words.utm(utm));
  return element('p', { class: 'where none' }, words.noPosition);
}
