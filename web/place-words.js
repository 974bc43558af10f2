// Everything that a place's page says, in the language chosen; other pages do not load it.

import * as english from './place-en.js';
import { read } from './words.js';

export const { placeWords } = await read({
  en: () => english,
  hi: () => import('./place-hi.js'),
  'hi-Latn': () => import('./place-hi-latn.js'),
});
