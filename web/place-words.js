// The words of a place's page in the reader's language; other pages do not load them.

import * as english from './place-en.js';
import { loadWords } from './words.js';

export const { placeWords } = await loadWords({
  en: () => english,
  hi: () => import('./place-hi.js'),
  'hi-Latn': () => import('./place-hi-latn.js'),
});
