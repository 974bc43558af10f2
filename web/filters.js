// The filters of a search by folder, tag and days, which the server applies before it ranks places.

import { FILTERS } from './address.js';
import { element, find } from './dom.js';
import { currentIndex, serverReady } from './server.js';
import { words } from './words.js';

const box = find('narrow', HTMLDetailsElement);

/**
 * Call back with the filters that are set, by parameter, whenever one changes.
 * @param {(only: Record<string, string>) => void} onChange
 */
export function watchFilters(onChange) {
  for (const name of FILTERS) {
    field(name).addEventListener('change', () => {
      const values = FILTERS.map((filter) => /** @type {const} */ ([filter, field(filter).value.trim()]));
      onChange(Object.fromEntries(values.filter(([, value]) => value)));
    });
  }
  box.addEventListener('toggle', async () => {
    await serverReady();
    find('tags', HTMLDataListElement).replaceChildren(...Object.keys(currentIndex()?.tags ?? {}).map((tag) => element('option', { value: tag })));
  });
}

/** @param {Record<string, string>} only filters by parameter */
export function showFilters(only) {
  for (const name of FILTERS) field(name).value = only[name] ?? '';
  const count = Object.keys(only).length;
  if (count) box.open = true;
  find('narrowed', HTMLSpanElement).textContent = count ? words.filters(count) : '';
}

/** @param {string} name */
const field = (name) => find(`only-${name}`, HTMLInputElement);
