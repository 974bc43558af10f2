// The words of the track page that are not in its HTML file, in Hindi.

import { wholeDegrees } from './format.js';
import { percent, whole } from './words-hi.js';

/** @type {typeof import('./track-en.js').trackWords} */
export const trackWords = {
  chooseFrames: 'फ़ोटो या वीडियो चुनें',
  addFrames: 'और जोड़ें',
  trackWaiting: 'पहला फ़्रेम देखा जा रहा है…',
  trackWord: (word, probability) =>
    word === 'unsure' ? 'पक्का नहीं' : `${{ here: 'यहाँ', perhaps: 'हो सकता है', off: 'बाहर' }[word]}, ${percent(probability)}`,
  trackLine: (word, place, probability) =>
    ({
      here: `${place} पर, भरोसा ${percent(probability)}`,
      perhaps: `हो सकता है ${place} पर, भरोसा ${percent(probability)}`,
      off: `जानी-पहचानी जगहों से बाहर, भरोसा ${percent(probability)}`,
      unsure: 'ऐसी जगह पर जो बताई नहीं जा सकती',
    })[word],
  trackNow: (line) => `अभी ${line}`,
  trackFrame: (frame, line) => `फ़्रेम ${whole.format(frame)}: ${line}`,
  heading: (degrees) => `दिशा उत्तर से ${wholeDegrees(degrees)}°`,
  trackEnded: (frames) => `${whole.format(frames)} फ़्रेम की जगह बताई गई।`,
  framesLeftOut: (count, why) => `${whole.format(count)} फ़ाइल या फ़्रेम नहीं लिए जा सके। ${why}`,
  trackForgotten: 'सर्वर ने रास्ता बंद कर दिया था, इसलिए वह नए रास्ते के रूप में आगे बढ़ता है।',
  trackClosed: 'रास्ता बंद है, और सर्वर उसे भूल चुका है।',
  noFrames: 'इससे कोई फ़्रेम नहीं मिलता।',
  videoUnread: (name, quoted) =>
    `यह ब्राउज़र ${name} में कोई फ़्रेम नहीं पाता; जहाँ इंडेक्स है, वहाँ \`place-search track INDEX ${quoted} --out walk.geojson\` चलाएँ, जो और तरह के वीडियो भी पढ़ता है।`,
  cameraNeedsHttps: 'ब्राउज़र कैमरा केवल https पर, या सर्वर की अपनी मशीन पर देते हैं; पहले वीडियो बनाएँ, फिर उसे यहाँ चुनें।',
  cameraRefused: 'कैमरा नहीं है, या उसकी अनुमति नहीं है; इस पन्ने को अनुमति दें, या पहले वीडियो बनाएँ और उसे यहाँ चुनें।',
};
