// Everything the page says, in the language chosen. English stands in the pages themselves.

import * as english from './words-en.js';

/** @typedef {'en' | 'hi' | 'hi-Latn'} Language `hi-Latn` is Hindi in Latin letters */

const root = document.documentElement;

/** @type {Language} as preload.js has chosen it */
export const language = root.lang === 'hi' || root.lang === 'hi-Latn' ? root.lang : 'en';

export const { words } = await read({
  en: () => english,
  hi: () => import('./words-hi.js'),
  'hi-Latn': () => import('./words-hi-latn.js'),
});

if (language !== 'en') {
  const hindi = language === 'hi';
  try {
    translate((await (hindi ? import('./page-hi.js') : import('./page-hi-latn.js'))).page);
    if (root.dataset['page'] === 'about') translate((await (hindi ? import('./about-hi.js') : import('./about-hi-latn.js'))).about);
  } catch {
    // What stands in the page stays English.
  }
  delete root.dataset['waiting'];
}

/**
 * The words of the language chosen: only those are loaded. Where they do not come, the English.
 * @template Words
 * @param {Record<Language, () => Words | Promise<Words>>} sets
 */
export async function read(sets) {
  try {
    return await sets[language]();
  } catch {
    return sets.en();
  }
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
    const label = table[part.getAttribute('data-label') ?? ''];
    if (label) part.setAttribute('aria-label', label);
  }
}

/**
 * What the reader chose on any page, or "".
 * @param {'language' | 'theme'} name
 */
export function remembered(name) {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return ''; // storage is switched off
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
