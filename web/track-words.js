// The words of the track page in the reader's language; other pages do not load them.

import * as english from './track-en.js';
import { loadWords } from './words.js';

export const { trackWords } = await loadWords({
  en: () => english,
  hi: () => import('./track-hi.js'),
  'hi-Latn': () => import('./track-hi-latn.js'),
});
