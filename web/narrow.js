// Narrowing a search down: to a folder, a tag, or days, before places are ranked.

import { FILTERS } from './address.js';
import { element, find } from './dom.js';
import { currentIndex, serverReady } from './server.js';
import { words } from './words.js';

const box = find('narrow', HTMLDetailsElement);

/**
 * Let the reader narrow down.
 * @param {(only: Record<string, string>) => void} told of each change, by parameter; without those that are empty
 */
export function letNarrow(told) {
  for (const name of FILTERS) {
    field(name).addEventListener('change', () => {
      const values = FILTERS.map((filter) => /** @type {const} */ ([filter, field(filter).value.trim()]));
      told(Object.fromEntries(values.filter(([, value]) => value)));
    });
  }
  box.addEventListener('toggle', async () => {
    await serverReady();
    find('tags', HTMLDataListElement).replaceChildren(...Object.keys(currentIndex()?.tags ?? {}).map((tag) => element('option', { value: tag })));
  });
}

/** @param {Record<string, string>} only what the search is narrowed down to */
export function showNarrow(only) {
  for (const name of FILTERS) field(name).value = only[name] ?? '';
  const count = Object.keys(only).length;
  if (count) box.open = true;
  find('narrowed', HTMLSpanElement).textContent = count ? words.filters(count) : '';
}

/** @param {string} name */
const field = (name) => find(`only-${name}`, HTMLInputElement);
