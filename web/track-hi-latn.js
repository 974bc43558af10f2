// The words of the track page that are not in its HTML file, in Hindi in Latin letters.

import { wholeDegrees } from './format.js';
import { percent, whole } from './words-hi-latn.js';

/** @type {typeof import('./track-en.js').trackWords} */
export const trackWords = {
  chooseFrames: 'Photo ya video chunein',
  addFrames: 'Aur jodein',
  trackWaiting: 'Pehla frame dekha ja raha hai…',
  trackWord: (word, probability) =>
    word === 'unsure' ? 'Pakka nahi' : `${{ here: 'Yahan', perhaps: 'Ho sakta hai', off: 'Bahar' }[word]}, ${percent(probability)}`,
  trackLine: (word, place, probability) =>
    ({
      here: `${place} par, bharosa ${percent(probability)}`,
      perhaps: `ho sakta hai ${place} par, bharosa ${percent(probability)}`,
      off: `jaani-pehchani jagahon se bahar, bharosa ${percent(probability)}`,
      unsure: 'aisi jagah par jo batayi nahi ja sakti',
    })[word],
  trackNow: (line) => `Abhi ${line}`,
  trackFrame: (frame, line) => `Frame ${whole.format(frame)}: ${line}`,
  heading: (degrees) => `disha uttar se ${wholeDegrees(degrees)}°`,
  trackEnded: (frames) => `${whole.format(frames)} frame ki jagah batayi gayi.`,
  framesLeftOut: (count, why) => `${whole.format(count)} file ya frame nahi liye ja sake. ${why}`,
  trackForgotten: 'Server ne raasta band kar diya tha, isliye woh naye raaste ke roop mein aage badhta hai.',
  trackClosed: 'Raasta band hai, aur server use bhool chuka hai.',
  noFrames: 'Isse koi frame nahi milta.',
  videoUnread: (name, quoted) =>
    `Is browser ko ${name} mein koi frame nahi milta; jahan index hai, wahan \`place-search track INDEX ${quoted} --out walk.geojson\` chalayein, jo aur tarah ke video bhi padhta hai.`,
  cameraNeedsHttps: 'Browser camera sirf https par, ya server ki apni machine par dete hain; pehle video banayein, phir use yahan chunein.',
  cameraRefused: 'Camera nahi hai, ya uski ijazat nahi hai; is page ko ijazat dein, ya pehle video banayein aur use yahan chunein.',
};
