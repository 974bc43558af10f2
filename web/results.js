// The places found, as cards.

import { photoAddress, showPicture } from './api.js';
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
 * @property {(result: ResultReply) => void} open show in the viewer
 * @property {(result: ResultReply) => void} searchWithPlace
 * @property {(changed: Partial<Settings>) => void} changeSettings search with the same photo again
 */

const MAX_PLACEHOLDERS = 10;
let foundThreshold = 1;
/** @type {HTMLButtonElement[]} the button of each result that opens the viewer */
let frames = [];

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
 * @param {Settings} settings of the search
 * @param {Handlers} handlers
 */
export function showResults(reply, places, settings, handlers) {
  const ms = reply.timings_ms['total'] ?? 0;
  const { verdict } = reply.match;
  foundThreshold = reply.match.threshold;
  title.className = `verdict ${verdict}`;
  title.replaceChildren(icon(verdict), verdictWords(reply, places, settings));
  estimate.replaceChildren(...(reply.location ? [words.estimate(reply.location), ' ', positionButton(reply.location)] : []));
  frames = [];
  const resultCards = cardsOf(reply, handlers);
  const spotCards = [...new Set(resultCards)];
  facts.textContent = words.facts(resultCards.length, spotCards.length, places, ms);
  const ranks = new Set(candidatesOf(reply).map(({ rank }) => rank));
  const candidateCards = new Set(resultCards.filter((_, at) => ranks.has(at + 1)));
  cards.replaceChildren(...candidateCards);
  showElsewhere(spotCards.filter((card) => !candidateCards.has(card)));
  remedyList.replaceChildren(...remedies(reply, settings, handlers.changeSettings));
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
 * The results that may show the photo's place: none where the verdict is `not_found`.
 * @param {SearchReply} reply
 */
export function candidatesOf({ match, results }) {
  return match.verdict === 'not_found' ? [] : results.filter(({ probability }) => probability >= UNSURE_FROM);
}

/** @param {HTMLElement[]} elsewhereResults cards of results that probably show other places */
function showElsewhere(elsewhereResults) {
  elsewhere.open = false;
  elsewhere.hidden = elsewhereResults.length === 0;
  find('elsewhere-title', HTMLElement).textContent = words.elsewhereMore(elsewhereResults.length);
  elsewhereCards.replaceChildren(...elsewhereResults);
}

/**
 * @param {SearchReply} reply
 * @param {number | null} places in the whole index
 * @param {Settings} settings of the search
 */
export function verdictWords({ match: { verdict } }, places, { area, only }) {
  if (verdict !== 'not_found') return words[verdict];
  if (Object.keys(only).length) return words.notInFiltered;
  return area ? words.notInCircle : words.notFound(places);
}

/**
 * Dim the results shown and make them inert until the next results come; where no results are
 * shown, show empty cards.
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
    cards.replaceChildren(...Array.from({ length: Math.min(k, MAX_PLACEHOLDERS) }, placeholderCard));
    section.hidden = false;
  }
}

export function hideResults() {
  section.hidden = true;
  cards.replaceChildren();
  showElsewhere([]);
}

/** @param {number} at index of the result */
export function focusResult(at) {
  const opened = frames[at];
  if (opened && elsewhere.contains(opened)) elsewhere.open = true;
  opened?.focus();
}

/**
 * The card of each result: results of one spot share the card of the best of them.
 * @param {SearchReply} reply
 * @param {Handlers} handlers
 */
function cardsOf({ results, location }, handlers) {
  /** @type {Map<number, HTMLElement>} */
  const spots = new Map();
  return results.map((result) => {
    const { group } = result;
    const spotCard = group && spots.get(group.id);
    if (spotCard) {
      spotCard.querySelector('.spot')?.append(element('li', {}, frame(result, handlers)));
      return spotCard;
    }
    const newCard = card(result, location, handlers);
    if (group) spots.set(group.id, newCard);
    return newCard;
  });
}

/**
 * A result's photo, as a button that opens the viewer.
 * @param {ResultReply} result
 * @param {Handlers} handlers
 */
function frame(result, handlers) {
  const label = words.openLarger(result.rank, result.name);
  const image = result.rank === 1 ? sharpImageOf(result) : thumbnailOf(result);
  const photo = element('button', { type: 'button', class: 'frame', 'aria-label': label }, image);
  photo.addEventListener('click', () => handlers.open(result));
  frames[result.rank - 1] = photo;
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
  again.addEventListener('click', () => handlers.searchWithPlace(result));
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
      positionLine(result, location),
      headingLine(result),
      group?.name ? element('p', { class: 'folder' }, group.name) : null,
      more ? element('p', { class: 'folder' }, words.morePhotos(more)) : null,
      more ? element('ul', { class: 'spot', 'aria-label': words.morePhotos(more) }) : null,
      again,
    ),
  );
}

function placeholderCard() {
  return element('li', { class: 'card ghost', 'aria-hidden': true }, element('div', { class: 'frame' }));
}

/**
 * A thumbnail that the photo replaces: the first card is larger than thumbnails are.
 * @param {ResultReply} result
 */
function sharpImageOf(result) {
  const image = thumbnailOf(result);
  image.addEventListener(
    'load',
    async () => {
      if (image.clientWidth * devicePixelRatio < image.naturalWidth * 1.2) return;
      const sharp = element('img', { alt: '' });
      const { clientWidth, clientHeight, naturalWidth, naturalHeight } = image;
      const larger = Math.max(clientWidth / naturalWidth, clientHeight / naturalHeight);
      const side = larger * Math.max(naturalWidth, naturalHeight);
      await showPicture(sharp, photoAddress(result, side));
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
  // The style sheet gives the frame its size, so a late photo moves nothing.
  return thumbnail(result.thumbnail_url, { loading: 'lazy' });
}

/**
 * Whether a result shows the photo's place, with the evidence.
 * @param {Pick<ResultReply, 'verified' | 'probability'>} result
 */
export function evidenceLine({ verified, probability }) {
  const isFound = probability >= foundThreshold;
  const isUnsure = !isFound && probability >= UNSURE_FROM;
  const sentence = isFound ? words.isFound : isUnsure ? words.isUnsure : words.isElsewhere;
  return element(
    'p',
    { class: isFound ? 'verified agrees' : 'verified' },
    isFound || isUnsure ? icon(isFound ? 'found' : 'unsure') : null,
    sentence(probability, verified ? verified.inliers : null),
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
    element('span', { class: 'rank' }, element('span', { class: 'offscreen' }, words.rank(rank)), unspoken(`${rank}`)),
    element('span', { class: 'offscreen' }, ', '),
    element('span', { class: 'what' }, `${words.similarity} `),
    element('span', { class: 'number' }, formatSimilarity(similarity)),
    bar,
  );
}

/** @param {string} text shown but not spoken: screen readers read a fuller sentence in its place */
function unspoken(text) {
  return element('span', { 'aria-hidden': true }, text);
}

/**
 * The heading of a place's photo, and the part of a query panorama that shows the place.
 * @param {Pick<ResultReply, 'heading' | 'query_view'>} result
 */
export function headingLine({ heading, query_view }) {
  const facts = [typeof heading === 'number' ? words.looking(heading) : '', query_view ? words.inPanorama(query_view) : ''];
  return facts.some(Boolean) ? element('p', { class: 'folder looking' }, facts.filter(Boolean).join(' · ')) : null;
}

/**
 * A place's position where the index has one, and its distance from the estimate.
 * @param {Pick<ResultReply, 'position' | 'utm'>} place
 * @param {PositionReply | null} [location]
 */
export function positionLine({ position, utm }, location = null) {
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
