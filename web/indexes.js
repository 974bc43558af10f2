// The choice between several indexes of one server: each has all pages, below indexes/NAME/.

import { ApiError, readIndexes } from './api.js';
import { element } from './dom.js';
import { status } from './header.js';
import { store, stored } from './key.js';
import { words } from './words.js';

const BELOW = /indexes\/([^/]+)\/[^/]*$/;
/** The history entry of the page that led here: it names the photos at hand. */
const STATE = 'place-search-state';

/** @import { ServedIndexReply } from './types.js' */

const led = stored(STATE);
if (led) {
  store(STATE, '');
  history.replaceState(JSON.parse(led), ''); // before the page looks for its photos
}

/**
 * The index that this page is of: the one that its address names, else the first.
 * @param {ServedIndexReply[]} indexes
 */
export function ownIndex(indexes) {
  const [, below = ''] = BELOW.exec(location.pathname) ?? [];
  return below ? indexes.find(({ name }) => name === decodeURIComponent(below)) : indexes[0];
}

/** Let the reader go to this page of another index, where the server has several. */
export async function offerIndexes() {
  const indexes = await all();
  if (indexes.length < 2 || document.getElementById('indexes')) return;
  const current = ownIndex(indexes)?.name;
  const names = indexes.map(({ name }) => name);
  const choice = element('select', { id: 'indexes', 'aria-label': words.index }, ...names.map((name) => new Option(name, name, name === current, name === current)));
  choice.addEventListener('change', () => {
    location.href = pageOf(choice.value);
  });
  status.before(choice);
}

/** Go to this page of the one index that the key may see; false where there is none. */
export async function goToOnlyIndex() {
  const [only, ...others] = await all();
  if (!only || others.length) return false;
  store(STATE, JSON.stringify(history.state));
  location.replace(pageOf(only.name));
  return true;
}

async function all() {
  try {
    return await readIndexes();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return []; // without a choice the page is as good as before
  }
}

/** @param {string} name of another index */
function pageOf(name) {
  const page = location.pathname.split('/').pop();
  const server = location.pathname.replace(BELOW, '').replace(/[^/]*$/, '');
  // A place's number says nothing of another index.
  return `${server}indexes/${encodeURIComponent(name)}/${page === 'place' ? 'places' : page}`;
}
