// One result, large, beside the photo that was searched with.

import { element, find, icon } from './dom.js';
import { splitName } from './format.js';
import { similarityLine, whereabouts } from './results.js';
import { words } from './words.js';

/** @import { Result } from './types.js' */

const dialog = find('viewer', HTMLDialogElement);

/** @type {{results: Result[], at: number, onClose: (at: number) => void} | null} */
let shown = null;

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
const matchName = element('figcaption', {});
const note = element('p', { class: 'note', role: 'status' });
const facts = element('div', { class: 'facts' });

dialog.append(
  element('header', {}, title, element('div', { class: 'tools' }, previous, next, close)),
  element(
    'div',
    { class: 'pair' },
    element('figure', {}, query, element('figcaption', {}, words.yourPhoto)),
    element('figure', {}, match, matchName),
  ),
  element('footer', {}, facts, note),
);

dialog.addEventListener('close', () => {
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
 * @param {Result[]} results
 * @param {number} at the one to open
 * @param {string | null} photo the address of the photo searched with
 * @param {(at: number) => void} onClose told which result was shown last
 */
export function openViewer(results, at, photo, onClose) {
  shown = { results, at, onClose };
  query.replaceChildren(
    photo ? element('img', { src: photo, alt: '' }) : element('span', { class: 'missing' }, words.noPreview),
  );
  show(at);
  dialog.showModal();
  close.focus();
}

/** @param {number} by */
function step(by) {
  if (!shown) return;
  const at = shown.at + by;
  if (at >= 0 && at < shown.results.length) show(at);
}

/** @param {number} at */
function show(at) {
  const result = shown?.results[at];
  if (!shown || !result) return;
  shown.at = at;
  rank.textContent = words.viewerTitle(result.rank, shown.results.length);
  const parts = splitName(result);
  name.textContent = parts.leaf;
  folder.textContent = parts.folder;
  note.textContent = '';
  matchName.textContent = words.match(result.rank);
  match.replaceChildren(photoOf(result));
  facts.replaceChildren(similarityLine(result), whereabouts(result));
  // Not `disabled`: that would take the focus away at either end.
  previous.setAttribute('aria-disabled', `${at === 0}`);
  next.setAttribute('aria-disabled', `${at === shown.results.length - 1}`);
}

/**
 * The original photo over its thumbnail, which is already here.
 * @param {Result} result
 */
function photoOf(result) {
  const image = element('img', { src: result.image_url, alt: result.name });
  image.style.setProperty('background-image', `url("${encodeURI(result.thumbnail_url)}")`);
  image.addEventListener('load', () => image.style.removeProperty('background-image'));
  image.addEventListener(
    'error',
    () => {
      image.style.removeProperty('background-image');
      image.src = result.thumbnail_url;
      note.textContent = words.originalGone;
    },
    { once: true },
  );
  return image;
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
