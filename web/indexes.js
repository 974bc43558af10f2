// The choice between the indexes of one server: each has all pages, below indexes/NAME/.

import { ApiError, readIndexes } from './api.js';
import { element } from './dom.js';
import { status } from './header.js';
import { sessionValue, setSessionValue } from './key.js';
import { words } from './words.js';

const INDEX_PATH = /indexes\/([^/]+)\/[^/]*$/;
/** The session storage's key for the history entry of the page before, which names its photos. */
const ENTRY_KEY = 'place-search-state';

/** @import { ServedIndexReply } from './types.js' */

const entryBefore = sessionValue(ENTRY_KEY);
if (entryBefore) {
  setSessionValue(ENTRY_KEY, '');
  history.replaceState(JSON.parse(entryBefore), ''); // before the page looks for its photos
}

/**
 * The index of this page: the index that its address names, else the first.
 * @param {ServedIndexReply[]} indexes
 */
export function ownIndex(indexes) {
  const [, ownName = ''] = INDEX_PATH.exec(location.pathname) ?? [];
  return ownName ? indexes.find(({ name }) => name === decodeURIComponent(ownName)) : indexes[0];
}

/** Where the server has several indexes, show a list of them that leads to this page of each. */
export async function offerIndexes() {
  const indexes = await allIndexes();
  if (indexes.length < 2 || document.getElementById('indexes')) return;
  const current = ownIndex(indexes)?.name;
  const names = indexes.map(({ name }) => name);
  const choice = element('select', { id: 'indexes', 'aria-label': words.index }, ...names.map((name) => new Option(name, name, name === current, name === current)));
  choice.addEventListener('change', () => {
    location.href = pageOf(choice.value);
  });
  status.before(choice);
}

/** Go to this page of the only index that the key may see; false where it may not see just one. */
export async function goToOnlyIndex() {
  const [only, ...rest] = await allIndexes();
  if (!only || rest.length) return false;
  setSessionValue(ENTRY_KEY, JSON.stringify(history.state));
  location.replace(pageOf(only.name));
  return true;
}

async function allIndexes() {
  try {
    return await readIndexes();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return []; // the page works without the choice
  }
}

/** @param {string} name of another index */
function pageOf(name) {
  const page = location.pathname.split('/').pop();
  const server = location.pathname.replace(INDEX_PATH, '').replace(/[^/]*$/, '');
  // A place's id means another place in another index, so a place's page leads to the list.
  return `${server}indexes/${encodeURIComponent(name)}/${page === 'place' ? 'places' : page}`;
}
