// The choice between several indexes of one server: each has all pages, below indexes/NAME/.

import { ApiError, readIndexes } from './api.js';
import { element } from './dom.js';
import { status } from './header.js';
import { words } from './words.js';

const BELOW = /indexes\/([^/]+)\/[^/]*$/;

/** Let the reader go to this page of another index, where the server has several. */
export async function offerIndexes() {
  const names = await readIndexes().then(
    (indexes) => indexes.map(({ name }) => name),
    (/** @type {unknown} */ error) => {
      if (!(error instanceof ApiError)) throw error;
      return []; // without a choice the page is as good as before
    },
  );
  if (names.length < 2 || document.getElementById('indexes')) return;
  const [, below = ''] = BELOW.exec(location.pathname) ?? [];
  const current = decodeURIComponent(below) || names[0];
  const choice = element('select', { id: 'indexes', 'aria-label': words.index }, ...names.map((name) => new Option(name, name, name === current, name === current)));
  choice.addEventListener('change', () => {
    const page = location.pathname.split('/').pop();
    const server = location.pathname.replace(BELOW, '').replace(/[^/]*$/, '');
    // A place's number says nothing of another index.
    location.href = `${server}indexes/${encodeURIComponent(choice.value)}/${page === 'place' ? 'places' : page}`;
  });
  status.before(choice);
}
