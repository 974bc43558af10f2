// Everything the page says that index.html does not.

/** @import { Problem } from './types.js' */

const whole = new Intl.NumberFormat('en');

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
function counted(count, one, many) {
  return `${whole.format(count)} ${count === 1 ? one : many}`;
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export const words = {
  places: (/** @type {number} */ count) => counted(count, 'place', 'places'),
  skippedMore: (/** @type {number} */ count) => `and ${whole.format(count)} more`,
  skipped: (/** @type {number} */ count) => counted(count, 'photo skipped', 'photos skipped'),
  model: (/** @type {string} */ id) => `model ${id}`,
  seconds: (/** @type {number} */ count) => counted(count, 'second', 'seconds'),
  dims: (/** @type {number} */ dims) => whole.format(dims),

  chooseFirst: 'Choose a photo',
  chooseAnother: 'Another photo',
  severalPhotos: (/** @type {string} */ name) => `One photo at a time: this is ${name}.`,
  nothingDropped: 'That was not a photo file. Save the photo first, then drop the file here.',
  nothingPasted: 'The clipboard holds no photo. Copy a photo first, not its address.',
  noPreview: 'This browser cannot show this file.',
  caption: (/** @type {string} */ name, /** @type {number} */ bytes) => `${name}, ${size(bytes)}`,
  takenAt: 'The photo itself says it was taken at',

  uploading: (/** @type {number} */ share) => `Uploading the photo… ${Math.floor(share * 100)}%`,
  uploadingStarted: 'Uploading the photo…',
  searching: 'Searching…',
  searchingIn: (/** @type {number} */ count) => `Searching ${counted(count, 'place', 'places')}…`,
  found: (/** @type {number} */ count, /** @type {string} */ name, /** @type {string} */ similarity) =>
    `${counted(count, 'place', 'places')} found. The most similar is ${name}, similarity ${similarity}.`,
  facts: (/** @type {number} */ shown, /** @type {number | null} */ places, /** @type {number} */ ms) =>
    (places === null ? `${whole.format(shown)} shown` : `${whole.format(shown)} of ${whole.format(places)}`) +
    `, found in ${ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`}`,

  rank: (/** @type {number} */ rank) => `Rank ${rank}`,
  match: (/** @type {number} */ rank) => `Place in the index, rank ${rank}`,
  similarity: 'Similarity',
  position: 'Position',
  noPosition: 'No position',
  utm: (/** @type {{easting: number, northing: number, zone: string}} */ at) =>
    `UTM ${at.zone} ${at.easting.toFixed(1)} E ${at.northing.toFixed(1)} N`,
  copyPosition: (/** @type {string} */ position) => `Copy position ${position}`,
  copied: 'Copied',
  copyFailed: 'Copying is not allowed here',
  openLarger: (/** @type {number} */ rank, /** @type {string} */ name) =>
    `Open rank ${rank}, ${name}, beside your photo`,
  noThumbnail: 'No thumbnail',

  viewerTitle: (/** @type {number} */ rank, /** @type {number} */ count) => `Rank ${rank} of ${count}`,
  yourPhoto: 'Your photo',
  close: 'Close',
  previous: 'Previous',
  next: 'Next',
  originalGone: 'The original photo is not there any more; this is its thumbnail.',

  statusLoading: 'The server is loading its index…',
  statusLost: 'No answer from the server; asking again…',
  emptyTitle: 'This index holds no places yet',
  emptyMend: 'Fill it with a folder of photos, then start the server again:',
  emptyCommand: 'place-search index PHOTOS --out INDEX\nplace-search serve INDEX',

  goesOn: 'The search goes on when the server answers again.',
  tryAgain: 'Try again',
  tryNow: 'Try now',
  serverSaid: 'What the server said',
  againIn: (/** @type {number} */ seconds) => `Trying again in ${counted(seconds, 'second', 'seconds')}.`,
};

/**
 * What went wrong and what to do, in words.
 * @param {Problem} problem
 * @param {File} photo
 * @returns {{title: string, mend: string}}
 */
export function explain(problem, photo) {
  if (photo.size === 0) {
    return { title: 'This file is empty', mend: `${photo.name} holds no bytes. Choose the photo again.` };
  }
  switch (problem.status) {
    case 0:
      return problem.alive
        ? {
            title: 'The upload broke off',
            mend: `The server answers, but it did not take the whole photo (${size(photo.size)}). Try again; if it breaks off again, send a smaller copy of the photo.`,
          }
        : {
            title: 'The connection to the server is lost',
            mend: 'Check that the server is running and that you are on its network.',
          };
    case 401:
    case 403:
      return {
        title: 'The server asks for a key',
        mend: 'This server answers only requests that carry a key. Ask the person who runs it.',
      };
    case 413:
      return {
        title: 'This photo is too large for the server',
        mend:
          (problem.type.endsWith('oversized-photo') ? 'It has too many pixels.' : `It is ${size(photo.size)}.`) +
          ' Send a smaller copy: 2,000 pixels on the longer side are more than enough.',
      };
    case 415:
      return {
        title: 'This file is not a photo',
        mend: `${photo.name} is in no photo format the server reads. Choose a JPEG, PNG, WebP, AVIF or HEIC file.`,
      };
    case 422:
      return {
        title: 'This photo cannot be read',
        mend: `${photo.name} is damaged or only a part of it arrived. Copy it again from where it came from, and choose that file.`,
      };
    case 429:
      return {
        title: 'The server is busy',
        mend: 'Other searches are waiting before yours. Nothing is wrong with the photo.',
      };
    case 503:
      return {
        title: 'The server is not ready yet',
        mend: 'It is still loading its model and index. The search starts by itself when it is ready.',
      };
    default:
      return {
        title: 'The server could not search',
        mend: `It answered with status ${problem.status}. Try again; if that does not help, tell the person who runs the server.`,
      };
  }
}
