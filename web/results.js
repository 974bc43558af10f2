// The places found, as cards.

import { positionButton } from './copy.js';
import { element, find } from './dom.js';
import { formatSimilarity, splitName } from './format.js';
import { words } from './words.js';

/** @import { Reply, Result } from './types.js' */

const GHOSTS = 10;

const section = find('results', HTMLDivElement);
const cards = find('cards', HTMLOListElement);
const facts = find('summary-facts', HTMLParagraphElement);

/**
 * @param {Reply} reply
 * @param {number | null} places in the whole index
 * @param {(at: number) => void} onOpen called with the row of `reply.results`
 */
export function showResults(reply, places, onOpen) {
  const ms = reply.timings_ms['total'] ?? 0;
  facts.textContent = words.facts(reply.results.length, places, ms);
  cards.replaceChildren(...reply.results.map((result, at) => card(result, () => onOpen(at))));
  section.removeAttribute('aria-busy');
  section.hidden = false;
}

/**
 * Keep what is there, dimmed, until the next results come; with nothing there, show empty cards.
 * @param {number} k
 */
export function expectResults(k) {
  section.setAttribute('aria-busy', 'true');
  if (section.hidden) {
    facts.textContent = words.searching;
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
 * @param {Result} result
 * @param {() => void} open
 */
function card(result, open) {
  const { leaf, folder } = splitName(result);
  const photo = element(
    'button',
    { type: 'button', class: 'frame', 'aria-label': words.openLarger(result.rank, result.name) },
    result.rank === 1 ? sharpened(result) : thumbnail(result),
  );
  photo.addEventListener('click', open);
  return element(
    'li',
    { class: 'card' },
    photo,
    element(
      'div',
      { class: 'facts' },
      similarityLine(result),
      element('h3', { class: 'name', title: result.name }, leaf),
      folder ? element('p', { class: 'folder', title: result.name }, folder) : null,
      whereabouts(result),
    ),
  );
}

function ghost() {
  return element('li', { class: 'card ghost', 'aria-hidden': true }, element('div', { class: 'frame' }));
}

/**
 * The most similar place is shown larger than thumbnails are made for.
 * @param {Result} result
 */
function sharpened(result) {
  const image = thumbnail(result);
  image.addEventListener(
    'load',
    async () => {
      if (image.clientWidth * devicePixelRatio < image.naturalWidth * 1.2) return;
      const sharp = element('img', { src: result.image_url, alt: '' });
      await sharp.decode().then(
        () => image.replaceWith(sharp),
        () => {}, // the thumbnail stays
      );
    },
    { once: true },
  );
  return image;
}

/** @param {Result} result */
function thumbnail(result) {
  // The frame around it has its size from the style sheet, so a late photo moves nothing.
  const image = element('img', { src: result.thumbnail_url, alt: '', loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => {
    image.replaceWith(element('span', { class: 'missing' }, words.noThumbnail));
  });
  return image;
}

/**
 * Rank and similarity, as a number and a bar.
 * @param {Result} result
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
 * Where a place is, as far as its index knows.
 * @param {Result} result
 */
export function whereabouts({ position, utm }) {
  if (position) return element('p', { class: 'where' }, positionButton(position));
  if (utm) return element('p', { class: 'where none' }, words.utm(utm));
  return element('p', { class: 'where none' }, words.noPosition);
}
