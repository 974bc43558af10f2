// The places found, as cards.

import { showPicture } from './api.js';
import { positionButton } from './copy.js';
import { element, find, icon } from './dom.js';
import { UNSURE_FROM, distanceM, formatSimilarity, splitName } from './format.js';
import { words } from './words.js';

/** @import { PositionReply, ResultReply, SearchReply } from './types.js' */

/** @typedef {{open: (result: ResultReply) => void, again: (result: ResultReply) => void}} Handlers */

const GHOSTS = 10;
let foundFrom = 1;

const section = find('results', HTMLDivElement);
const title = find('answer-title', HTMLHeadingElement);
const cards = find('cards', HTMLOListElement);
const facts = find('summary-facts', HTMLParagraphElement);
const order = find('order', HTMLParagraphElement);
const estimate = find('estimate', HTMLParagraphElement);

/**
 * @param {SearchReply} reply
 * @param {number | null} places in the whole index
 * @param {Handlers} handlers
 */
export function showResults(reply, places, handlers) {
  const ms = reply.timings_ms['total'] ?? 0;
  const { verdict } = reply.match;
  foundFrom = reply.match.threshold;
  title.className = `verdict ${verdict}`;
  title.replaceChildren(
    ...(verdict === 'found' ? [icon('done')] : []),
    verdictWords(reply, places),
  );
  facts.textContent = words.facts(reply.results.length, places, ms);
  estimate.replaceChildren(...(reply.location ? [words.estimate(reply.location), ' ', positionButton(reply.location)] : []));
  cards.replaceChildren(...reply.results.map((result) => card(result, reply.location, handlers)));
  const checked = reply.results.some(({ verified }) => verified);
  order.textContent =
    verdict === 'not_found' ? words.elsewhere : checked ? words.orderChecked : words.orderSimilar;
  section.removeAttribute('aria-busy');
  section.hidden = false;
}

/**
 * @param {SearchReply} reply
 * @param {number | null} places in the whole index
 */
export function verdictWords({ match: { verdict } }, places) {
  return verdict === 'not_found' ? words.notFound(places) : words[verdict];
}

/**
 * Keep what is there, dimmed, until the next results come; with nothing there, show empty cards.
 * @param {number} k
 */
export function expectResults(k) {
  section.setAttribute('aria-busy', 'true');
  if (section.hidden) {
    title.className = '';
    title.textContent = words.searching;
    facts.textContent = '';
    estimate.replaceChildren();
    order.textContent = words.orderSimilar;
    cards.replaceChildren(...Array.from({ length: Math.min(k, GHOSTS) }, ghost));
    section.hidden = false;
  }
}

export function hideResults() {
  section.hidden = true;
  cards.replaceChildren();
}

/** @param {number} at */
export function focusCard(at) {
  cards.children[at]?.querySelector('button')?.focus();
}

/**
 * @param {ResultReply} result
 * @param {PositionReply | null} location the estimate
 * @param {Handlers} handlers
 */
function card(result, location, handlers) {
  const { leaf, folder } = splitName(result);
  const photo = element(
    'button',
    { type: 'button', class: 'frame', 'aria-label': words.openLarger(result.rank, result.name) },
    result.rank === 1 ? sharpened(result) : thumbnail(result),
  );
  photo.addEventListener('click', () => handlers.open(result));
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
    photo,
    element(
      'div',
      { class: 'facts' },
      similarityLine(result),
      evidenceLine(result),
      element('h3', { class: 'name', title: result.name }, leaf),
      folder ? element('p', { class: 'folder', title: result.name }, folder) : null,
      whereabouts(result, location),
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
  const image = thumbnail(result);
  image.addEventListener(
    'load',
    async () => {
      if (image.clientWidth * devicePixelRatio < image.naturalWidth * 1.2) return;
      const sharp = element('img', { alt: '' });
      await showPicture(sharp, result.image_url);
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
function thumbnail(result) {
  // The frame around it has its size from the style sheet, so a late photo moves nothing.
  const image = element('img', { alt: '', loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => {
    image.replaceWith(element('span', { class: 'missing' }, words.noThumbnail));
  });
  void showPicture(image, result.thumbnail_url);
  return image;
}

/**
 * Whether a result shows the photo's place, and what that stands on.
 * @param {Pick<ResultReply, 'verified' | 'probability'>} result
 */
export function evidenceLine({ verified, probability }) {
  const found = probability >= foundFrom;
  const say = found ? words.isFound : probability >= UNSURE_FROM ? words.isUnsure : words.isElsewhere;
  return element(
    'p',
    { class: found ? 'verified agrees' : 'verified' },
    found ? icon('done') : null,
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
    element('span', { class: 'offscreen' }, `, ${words.similarity} `),
    element('span', { class: 'number' }, formatSimilarity(similarity)),
    bar,
  );
}

/** @param {string} seen shown, while a fuller wording beside it is spoken */
function spoken(seen) {
  return element('span', { 'aria-hidden': true }, seen);
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
