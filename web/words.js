// Everything the page says, in the language chosen. English stands in the pages themselves.

import * as english from './words-en.js';

/** @type {'en' | 'hi'} */
export const language = document.documentElement.lang === 'hi' ? 'hi' : 'en';

export const { words, explain } = language === 'hi' ? await import('./words-hi.js') : english;

if (language === 'hi') {
  const { page } = await import('./page-hi.js');
  const { about } = document.documentElement.dataset.page === 'about' ? await import('./about-hi.js') : { about: {} };
  translate({ ...page, ...about });
  delete document.documentElement.dataset.waiting;
}

/**
 * Put the words of a table where the page names them.
 * @param {Record<string, string>} table our own markup, never a name from an index
 */
function translate(table) {
  for (const part of document.querySelectorAll('[data-words]')) {
    part.innerHTML = table[part.getAttribute('data-words') ?? ''] ?? part.innerHTML;
  }
  for (const part of document.querySelectorAll('[data-label]')) {
    part.setAttribute('aria-label', table[part.getAttribute('data-label') ?? ''] ?? '');
  }
}

/**
 * Remember a choice of the reader, for all pages.
 * @param {'language' | 'theme'} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}
