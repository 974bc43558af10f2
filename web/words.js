// The pages' words in the reader's language; the HTML files are in English.

import * as english from './words-en.js';

/** @typedef {'en' | 'hi' | 'hi-Latn'} Language `hi-Latn` is Hindi in Latin letters */

const root = document.documentElement;

/** @type {Language} as preload.js has set it */
export const language = root.lang === 'hi' || root.lang === 'hi-Latn' ? root.lang : 'en';

export const { words } = await loadWords({
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
    // The words in the HTML file stay English.
  }
  delete root.dataset['waiting'];
}

/**
 * Load the words of the reader's language; the English ones where loading fails.
 * @template Words
 * @param {Record<Language, () => Words | Promise<Words>>} sets
 */
export async function loadWords(sets) {
  try {
    return await sets[language]();
  } catch {
    return sets.en();
  }
}

/**
 * Replace the words of the elements whose `data-words` or `data-label` is a key of the table.
 * @param {Record<string, string>} table markup of these pages, never a name from an index
 */
function translate(table) {
  for (const labelled of document.querySelectorAll('[data-words]')) {
    labelled.innerHTML = table[labelled.getAttribute('data-words') ?? ''] ?? labelled.innerHTML;
  }
  for (const labelled of document.querySelectorAll('[data-label]')) {
    const label = table[labelled.getAttribute('data-label') ?? ''];
    if (label) labelled.setAttribute('aria-label', label);
  }
}

/**
 * The reader's choice, which holds for all pages, or "".
 * @param {'language' | 'theme'} name
 */
export function chosenSetting(name) {
  try {
    return localStorage.getItem(name) ?? '';
  } catch {
    return ''; // storage is switched off
  }
}

/**
 * Store a choice of the reader for all pages.
 * @param {'language' | 'theme'} name
 * @param {string} value
 */
export function chooseSetting(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}
