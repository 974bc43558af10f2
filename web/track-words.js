// Everything the track page says, in the language chosen; other pages do not load it.

import * as english from './track-en.js';
import { language } from './words.js';

export const { trackWords } = language === 'hi' ? await import('./track-hi.js') : english;
