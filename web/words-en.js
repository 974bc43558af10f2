// The words of the pages that are not in the HTML files, in English.

import { percentage, wholeDegrees } from './format.js';

/** @import { Area, Part } from './page-types.js' */
/** @import { IndexReply, ViewReply } from './types.js' */

export const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/**
 * @param {number} count
 * @param {string} singular
 * @param {string} plural
 */
export function counted(count, singular, plural) {
  return `${whole.format(count)} ${count === 1 ? singular : plural}`;
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e6 ? `${bytes && Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} metres */
function distance(metres) {
  if (metres < 999.5) return `${metres < 9.95 ? metres.toFixed(1) : Math.round(metres)} m`;
  return `${metres < 99_950 ? (metres / 1000).toFixed(1) : whole.format(metres / 1000)} km`;
}

/** @param {number} share */
export const percent = (share) => percentage(share, 'over 99%', 'under 1%');

/** @param {number | null} inliers */
function evidence(inliers) {
  return inliers === null ? ', by similarity alone' : `, ${counted(inliers, 'matching point', 'matching points')}`;
}

const COMPASS = ['north', 'north-east', 'east', 'south-east', 'south', 'south-west', 'west', 'north-west'];

/** @param {number} heading degrees from north */
function compass(heading) {
  return `${COMPASS[Math.round(heading / 45) % 8]}, ${whole.format(wholeDegrees(heading))}°`;
}

export const words = {
  search: 'Search',
  allPlaces: 'Places',
  placePage: 'The page of this place',
  placesAlike: 'Find places like this',
  placesLike: (/** @type {string} */ name) => `Find places like this: ${name}`,
  map: 'Map',
  compare: 'Compare',
  track: 'Track',
  about: 'About',
  reports: 'Reports',
  pages: 'Pages',
  toDark: 'Dark colours',
  toLight: 'Light colours',
  index: 'Index',
  asking: 'Asking the server…',
  stop: '.',

  number: (/** @type {number} */ count) => whole.format(count),
  // Without a time zone, in the reader's.
  date: (/** @type {string} */ iso, /** @type {string | undefined} */ timeZone = undefined) =>
    new Date(iso).toLocaleString('en', { dateStyle: 'long', timeStyle: 'short', timeZone }),
  placesInIndex: 'Places',
  withPosition: 'with a position',
  modelName: 'Model',
  descriptorLength: 'Numbers in a descriptor',
  built: 'Built',
  skippedPhotos: 'Photos skipped',
  skippedWhy: 'Why photos were skipped',
  places: (/** @type {number} */ count) => counted(count, 'place', 'places'),
  spots: (/** @type {number} */ count) => counted(count, 'spot', 'spots'),
  photos: (/** @type {number} */ count) => counted(count, 'photo', 'photos'),
  skippedMore: (/** @type {number} */ count) => `and ${whole.format(count)} more`,
  skipped: (/** @type {number} */ count) => counted(count, 'photo skipped', 'photos skipped'),
  model: (/** @type {string} */ id) => `model ${id}`,
  dims: (/** @type {number} */ dims) => whole.format(dims),

  choosePhoto: 'Choose a photo',
  chooseAnother: 'Another photo',
  together: (/** @type {number} */ more) => ` (with ${counted(more - 1, 'other photo', 'other photos')} of the spot)`,
  partLabel: (/** @type {Part} */ [x, y, w, h]) => `The part to search with: ${w} × ${h} pixels, ${x} from the left, ${y} from the top`,
  samples: /** @type {(each: number) => string} */ (each) => (each === 1 ? 'Or try one of these:' : 'Or try one of these pairs:'),
  sample: (/** @type {number} */ at, /** @type {number} */ each) => (each === 1 ? `Search with sample photo ${at}` : `Compare sample pair ${at}`),
  severalPhotos: (/** @type {string} */ names, /** @type {number} */ most) =>
    most === 1 ? `One photo at a time: this is ${names}.` : most === 2 ? `Two photos at a time: these are ${names}.` : `At most ${most} photos at a time: these are ${names}.`,
  nothingDropped: 'That was not a photo file. Save the photo first, then drop the file here.',
  nothingPasted: 'The clipboard holds no photo. Copy a photo first, not its address.',
  noPreview: 'This browser cannot show this file.',
  caption: (/** @type {string} */ name, /** @type {number} */ bytes) => `${name}, ${size(bytes)}`,
  takenAt: 'The photo itself says it was taken at',

  uploading: (/** @type {number} */ share) => `Uploading the photo… ${Math.floor(share * 100)}%`,
  uploadingStarted: 'Uploading the photo…',
  searching: 'Searching…',
  searchingIn: (/** @type {number} */ count) => `Searching ${counted(count, 'place', 'places')}…`,
  found: 'Found',
  firstIs: (/** @type {string} */ verdict, /** @type {string} */ name, /** @type {string} */ similarity) =>
    `${verdict}. The most similar place is ${name}, similarity ${similarity}.`,
  facts: (
    /** @type {number} */ shown,
    /** @type {number} */ spots,
    /** @type {number | null} */ places,
    /** @type {number} */ ms,
  ) =>
    `${places === null ? counted(shown, 'place', 'places') : `${whole.format(shown)} of ${counted(places, 'place', 'places')}`} shown` +
    (spots < shown ? `, at ${counted(spots, 'spot', 'spots')}` : '') +
    `, answered in ${ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`}`,

  morePhotos: (/** @type {number} */ count) => `and ${count} more ${count === 1 ? 'photo' : 'photos'} of it`,
  orderSimilar: 'Similarity puts these places in order; it is not a probability.',
  orderChecked: 'Places whose geometry agrees come first, then the most similar. Similarity is not a probability.',
  estimate: (/** @type {Area} */ { radius_m }) => `Probably taken within ${distance(radius_m)} of`,
  fromEstimate: (/** @type {number} */ metres) => `${distance(metres)} from the estimate`,
  unsure: 'Perhaps, but not for sure',
  notFound: (/** @type {number | null} */ places) =>
    places === null ? 'Not among the places here' : `Not among these ${counted(places, 'place', 'places')}`,
  notInFiltered: 'Not among the places that fit the filters',
  notInCircle: 'Not among the places in this circle',
  filters: (/** @type {number} */ count) => ` (${counted(count, 'filter', 'filters')})`,
  wasNarrowed: 'Only places that fit the filters were searched.',
  searchAll: 'Search all places',
  wasNear: 'Only a circle was searched.',
  checkGeometry: 'Check geometry',
  wasUnverified: 'This goes by similarity alone, which is seldom sure.',
  lookYourself: 'Look for yourself: open a place to see it beside your photo.',
  betterPhoto: 'Try a photo that shows more of the place: sharp, by day, with little in front of it.',
  addPhoto: 'If the place belongs here, whoever runs the server can add a folder with this photo:',
  addCommand: 'place-search add INDEX FOLDER',
  elsewhereMore: (/** @type {number} */ count) =>
    `Most similar, but probably elsewhere (${whole.format(count)})`,
  isFound: (/** @type {number} */ probability, /** @type {number | null} */ inliers) =>
    `Found, ${percent(probability)} sure${evidence(inliers)}`,
  isUnsure: (/** @type {number} */ probability, /** @type {number | null} */ inliers) =>
    `Perhaps, ${percent(probability)} sure${evidence(inliers)}`,
  isElsewhere: (/** @type {number} */ probability, /** @type {number | null} */ inliers) =>
    `Probably elsewhere: ${percent(probability)}${evidence(inliers)}`,
  searchAgain: 'Search with this photo',
  searchAgainWith: (/** @type {number} */ rank, /** @type {string} */ name) =>
    `Search with this photo: rank ${rank}, ${name}`,
  onlyWithin: (/** @type {Area} */ { latitude, longitude, radius_m }) =>
    `Only places within ${distance(radius_m)} of ${latitude.toFixed(4)}, ${longitude.toFixed(4)}.`,
  searchEverywhere: 'Search everywhere',
  photoForgotten: 'The photo of this search is not kept any more. Add it again, and the same search runs.',
  photoNotInLink: 'A link keeps the settings and the open place, but never the photo. Add it to see it beside this place.',

  rank: (/** @type {number} */ rank) => `Rank ${rank}`,
  match: (/** @type {number} */ rank) => `Place in the index, rank ${rank}`,
  similarity: 'Similarity',
  noPosition: 'No position',
  compass,
  looking: (/** @type {number} */ heading) => `looking ${compass(heading)}`,
  inPanorama: (/** @type {ViewReply} */ { yaw, heading }) =>
    heading === null ? `in your panorama ${whole.format(yaw)}° to the right of its middle` : `in your panorama to the ${compass(heading)}`,
  utm: (/** @type {{easting: number, northing: number, zone: string}} */ at) =>
    `UTM ${at.zone} ${at.easting.toFixed(1)} E ${at.northing.toFixed(1)} N`,
  copyPosition: (/** @type {string} */ position) => `Copy position ${position}`,
  copied: 'Copied',
  copyFailed: 'Copying is not allowed here',
  openLarger: (/** @type {number} */ rank, /** @type {string} */ name) =>
    `Open rank ${rank}, ${name}, beside your photo`,
  noThumbnail: 'No thumbnail',

  viewerTitle: (/** @type {number} */ rank, /** @type {number} */ count) => `Rank ${rank} of ${count}`,
  placeNumber: (/** @type {number} */ id) => `Place ${id}`,
  inTheIndex: 'Place in the index',
  lookingForPoints: 'Looking for matching points…',
  sharedPoints: (/** @type {number} */ count) =>
    count ? `${counted(count, 'matching point', 'matching points')}.` : 'No matching points.',
  noSharedPoints: 'The matching points cannot be shown now.',
  showLines: 'Show matching points',
  yourPhoto: 'Your photo',
  close: 'Close',
  previous: 'Previous',
  next: 'Next',
  originalGone: 'The original photo is not there any more; this is its thumbnail.',
  originalLater: 'The original photo cannot be loaded now.',

  photoNumber: (/** @type {number} */ number) => `Photo ${number}`,
  oneMore: 'Now the other photo.',
  comparing: 'Comparing…',
  uploadingBoth: (/** @type {number} */ share) => `Uploading the photos… ${Math.floor(share * 100)}%`,
  same: 'The same place',
  perhaps: 'Perhaps the same place, but not for sure',
  different: 'Probably different places',
  probability: (/** @type {number} */ probability, /** @type {number} */ threshold) =>
    `The probability that both show one place is ${percent(probability)}. ${
      probability >= threshold ? 'That is above' : 'That is below'
    } the threshold of ${percent(threshold)}.`,
  thresholdAt: (/** @type {number} */ threshold) => `threshold ${percent(threshold)}`,
  matchingPoints: 'Matching points',

  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  pinOf: (/** @type {number} */ rank, /** @type {string} */ name) => `Rank ${rank}: ${name}`,
  noGround: 'No background map: start the server with --tiles-file or --tiles-url (README).',
  noPositions:
    'No place of this index has a position. Index photos whose Exif holds one, or a CSV with path, latitude and longitude.',
  shownOnMap: (
    /** @type {number} */ dots,
    /** @type {number} */ places,
    /** @type {IndexReply | null} */ index,
  ) => {
    const all = index ? ` of ${whole.format(index.positions)}` : '';
    const shown = `${whole.format(places)}${all} places with a position are in view.`;
    const without = index && index.positions < index.places ? ` ${counted(index.places - index.positions, 'place has', 'places have')} none.` : '';
    return (dots < places ? `${shown} A dot can stand for several; zoom in to see each.` : shown) + without;
  },
  andOthers: (/** @type {number} */ count) => `and ${counted(count, 'other', 'others')} there`,
  zoomCloser: (/** @type {number} */ count) => `This dot stands for ${counted(count, 'place', 'places')}: zoom in`,
  openPlace: (/** @type {string} */ name) => `Open ${name}`,
  drawHow: 'Press on the map for the middle of the circle, and drag to its edge.',
  searchWithin: (/** @type {Area} */ { radius_m }) => `Search within ${distance(radius_m)}`,
  removeCircle: 'Remove the circle',

  explaining: 'Asking the model…',
  gridOf: (/** @type {number} */ columns, /** @type {number} */ rows) =>
    `${columns} × ${rows} = ${whole.format(columns * rows)} cells`,
  seenAs: (/** @type {number} */ width, /** @type {number} */ height) => `${width} × ${height} pixels`,
  clusterOf: (/** @type {number} */ cluster, /** @type {number} */ cells) =>
    `Cluster ${cluster}: ${counted(cells, 'cell', 'cells')}`,
  allClusters: (/** @type {number} */ used, /** @type {number} */ clusters) =>
    `${used} of ${clusters} clusters occur in this photo. Choose one to see its cells alone.`,
  productOf: (/** @type {number} */ clusters, /** @type {number} */ channels, /** @type {number} */ dims) =>
    `${clusters} × ${whole.format(channels)} = ${whole.format(clusters * channels)}${dims === clusters * channels ? '' : `, whitened to ${whole.format(dims)}`}`,
  descriptorOf: (/** @type {number} */ dims) => `What the clusters sum up, as a picture: ${whole.format(dims)} numbers`,
  cellsOf: 'The photo with every cell in the colour of its cluster',
  servingNow: 'The model that serves now',
  backbone: 'Backbone',
  fitted: 'How it was made',
  licence: 'Licence',

  reportTitle: (/** @type {string} */ model, /** @type {string} */ truth) => `${model} on ${truth}`,
  reportAbout: (
    /** @type {string} */ name,
    /** @type {string} */ protocol,
    /** @type {number} */ queries,
    /** @type {number} */ database,
  ) => `${name}: ${counted(queries, 'query', 'queries')} among ${counted(database, 'photo', 'photos')}, protocol ${protocol}`,
  perCent: (/** @type {number} */ share) => `${share.toFixed(1)}%`,
  byChance: (/** @type {number} */ share) => `By chance: ${share.toFixed(1)}%`,

  apiKey: 'API key',
  useKey: 'Use this key',
  forgetKey: 'Go on without a key',
  statusClosed: 'The server asks for a key',
  statusLoading: 'The server is loading its index…',
  statusLost: 'No answer from the server; asking again…',
  emptyTitle: 'This index holds no places yet',
  emptyMend: 'Fill it with a folder of photos, then start the server again:',
  emptyCommand: 'place-search index PHOTOS --out INDEX\nplace-search serve INDEX',

  oneOf: (/** @type {string[]} */ names) => (names.length === 2 ? `One of ${names.join(' and ')}` : `One of these ${names.length} photos`),
  thePhoto: 'The photo',
  size,
  goesOn: 'The search goes on when the server answers again.',
  tryAgain: 'Try again',
  tryNow: 'Try now',
  serverSaid: 'What the server said',
  againIn: (/** @type {number} */ seconds) => `Trying again in ${counted(seconds, 'second', 'seconds')}.`,
};
