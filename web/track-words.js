// Everything the track page says, in the language chosen; other pages do not load it.

import * as english from './track-en.js';
import { read } from './words.js';

export const { trackWords } = await read({
  en: () => english,
  hi: () => import('./track-hi.js'),
  'hi-Latn': () => import('./track-hi-latn.js'),
});
