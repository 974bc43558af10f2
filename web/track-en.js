// The words of the track page that are not in its HTML file, in English.

import { wholeDegrees } from './format.js';
import { counted, percent, whole } from './words-en.js';

export const trackWords = {
  chooseFrames: 'Choose photos or a video',
  addFrames: 'Add more',
  trackWaiting: 'Looking at the first frame…',
  trackWord: (/** @type {'here' | 'perhaps' | 'off' | 'unsure'} */ word, /** @type {number} */ probability) =>
    word === 'unsure' ? 'Unsure' : `${{ here: 'Here', perhaps: 'Perhaps', off: 'Off' }[word]}, ${percent(probability)}`,
  trackLine: (
    /** @type {'here' | 'perhaps' | 'off' | 'unsure'} */ word,
    /** @type {string} */ place,
    /** @type {number} */ probability,
  ) =>
    ({
      here: `at ${place}, ${percent(probability)} sure`,
      perhaps: `perhaps at ${place}, ${percent(probability)} sure`,
      off: `off the known places, ${percent(probability)} sure`,
      unsure: 'at a place that cannot be told',
    })[word],
  trackNow: (/** @type {string} */ line) => `Now ${line}`,
  trackFrame: (/** @type {number} */ frame, /** @type {string} */ line) => `Frame ${whole.format(frame)}: ${line}`,
  heading: (/** @type {number} */ degrees) => `heading ${wholeDegrees(degrees)}° from north`,
  trackEnded: (/** @type {number} */ frames) => `${counted(frames, 'frame', 'frames')} located.`,
  framesLeftOut: (/** @type {number} */ count, /** @type {string} */ why) =>
    `${counted(count, 'file or frame was', 'files or frames were')} left out. ${why}`,
  trackForgotten: 'The server had closed the track, so it goes on as a new one.',
  trackClosed: 'The track is closed, and the server has forgotten it.',
  noFrames: 'No frames can be had from this.',
  videoUnread: (/** @type {string} */ name, /** @type {string} */ quoted) =>
    `This browser finds no frames in ${name}; run \`place-search track INDEX ${quoted} --out walk.geojson\` where the index is, which reads more kinds of video.`,
  cameraNeedsHttps: 'Browsers allow the camera only over https or on the machine of the server itself; film first, and choose the video here.',
  cameraRefused: 'The camera is not there, or may not be used; allow it for this page, or film first and choose the video here.',
};
