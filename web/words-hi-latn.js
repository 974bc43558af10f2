// The words of the pages that are not in the HTML files, in Hindi in Latin letters.

import { percentage, wholeDegrees } from './format.js';

/** @import { Part } from './page-types.js' */

export const whole = new Intl.NumberFormat('en-IN', { maximumFractionDigits: 0 });

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e6 ? `${bytes && Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} count */
const places = (count) => `${whole.format(count)} ${count === 1 ? 'jagah' : 'jagahein'}`;

/** @param {number} count */
const inPlaces = (count) => `${whole.format(count)} ${count === 1 ? 'jagah' : 'jagahon'} mein`;

/** @param {number} count */
const matching = (count) => `${whole.format(count)} point ${count === 1 ? 'milta hai' : 'milte hain'}`;

/** @param {number} metres */
function distance(metres) {
  if (metres < 999.5) return `${metres < 9.95 ? metres.toFixed(1) : Math.round(metres)} m`;
  return `${metres < 99_950 ? (metres / 1000).toFixed(1) : whole.format(metres / 1000)} km`;
}

/** @param {number} share */
export const percent = (share) => percentage(share, '99% se zyada', '1% se kam');

/** @param {number | null} inliers */
function evidence(inliers) {
  return inliers === null ? ', sirf similarity se' : `, ${matching(inliers)}`;
}

const COMPASS = ['uttar', 'uttar-purv', 'purv', 'dakshin-purv', 'dakshin', 'dakshin-pashchim', 'pashchim', 'uttar-pashchim'];

/** @param {number} heading degrees from north */
function compass(heading) {
  return `${COMPASS[Math.round(heading / 45) % 8]}, ${whole.format(wholeDegrees(heading))}°`;
}

/** @type {typeof import('./words-en.js').words} */
export const words = {
  search: 'Khoj',
  allPlaces: 'Jagahein',
  placePage: 'Is jagah ka page',
  placesAlike: 'Aisi jagahein khojein',
  placesLike: (name) => `Aisi jagahein khojein: ${name}`,
  map: 'Map',
  compare: 'Tulna',
  track: 'Raasta',
  about: 'Parichay',
  reports: 'Report',
  pages: 'Pages',
  toDark: 'Gehre rang',
  toLight: 'Halke rang',
  index: 'Index',
  asking: 'Server se pooch rahe hain…',
  stop: '.',

  number: (count) => whole.format(count),
  date: (iso, timeZone) => new Date(iso).toLocaleString('en-IN', { dateStyle: 'long', timeStyle: 'short', timeZone }),
  placesInIndex: 'Jagahein',
  withPosition: 'jinki position pata hai',
  modelName: 'Model',
  descriptorLength: 'Descriptor mein kitne number',
  built: 'Kab bana',
  skippedPhotos: 'Chhodi gayi photo',
  skippedWhy: 'Ye photo kyon chhodi gayin',
  places,
  skippedMore: (count) => `aur ${whole.format(count)}`,
  skipped: (count) => `${whole.format(count)} photo ${count === 1 ? 'chhodi gayi' : 'chhodi gayin'}`,
  model: (id) => `model ${id}`,
  dims: (dims) => whole.format(dims),

  choosePhoto: 'Photo chunein',
  chooseAnother: 'Koi aur photo',
  together: (/** @type {number} */ more) => ` (saath mein usi jagah ki ${whole.format(more - 1)} aur photo)`,
  partLabel: (/** @type {Part} */ [x, y, w, h]) => `Khoj ka hissa: ${w} × ${h} pixel, baayein se ${x}, upar se ${y}`,
  samples: (each) => (each === 1 ? 'Ya inmein se kisi ek se aazmayein:' : 'Ya inmein se koi jodi aazmayein:'),
  sample: (at, each) => (each === 1 ? `Namoone ki photo ${at} se khojein` : `Namoone ki jodi ${at} ki tulna karein`),
  severalPhotos: (names, most) =>
    most === 1 ? `Ek baar mein ek hi photo: yeh ${names} hai.` : most === 2 ? `Ek baar mein do hi photo: ye ${names} hain.` : `Ek baar mein ${most} se zyada photo nahi: ye ${names} hain.`,
  nothingDropped: 'Yeh photo ki file nahi thi. Pehle photo save karein, phir woh file yahan daalein.',
  nothingPasted: 'Clipboard mein koi photo nahi hai. Photo ko copy karein, uske link ko nahi.',
  noPreview: 'Yeh browser is file ko nahi dikha sakta.',
  caption: (name, bytes) => `${name}, ${size(bytes)}`,
  takenAt: 'Photo ke hisaab se woh yahan kheenchi gayi thi:',

  uploading: (share) => `Photo bheji ja rahi hai… ${Math.floor(share * 100)}%`,
  uploadingStarted: 'Photo bheji ja rahi hai…',
  searching: 'Khoj rahe hain…',
  searchingIn: (count) => `${inPlaces(count)} khoj rahe hain…`,
  found: 'Mil gayi',
  firstIs: (verdict, name, similarity) => `${verdict}. Sabse milti-julti jagah ${name} hai, similarity ${similarity}.`,
  facts: (shown, spots, all, ms) =>
    (all === null ? places(shown) : `${whole.format(all)} mein se ${places(shown)}`) +
    (spots < shown ? ` (${whole.format(spots)} alag)` : '') +
    `, ${ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`} mein mili`,

  spots: (count) => `${whole.format(count)} alag ${count === 1 ? 'jagah' : 'jagahein'}`,
  photos: (count) => `${whole.format(count)} photo`,
  morePhotos: (count) => `aur isi jagah ki ${count} photo`,
  orderSimilar: 'Jagahon ka kram similarity se hai; similarity ka matlab probability nahi hai.',
  orderChecked: 'Pehle woh jagahein jinke point sahi baithte hain, phir sabse milti-julti. Similarity ka matlab probability nahi hai.',
  estimate: ({ radius_m }) => `Andaza: photo isse ${distance(radius_m)} ke andar kheenchi gayi:`,
  fromEstimate: (metres) => `andaze se ${distance(metres)} door`,
  unsure: 'Ho sakta hai, par pakka nahi',
  notFound: (all) => (all === null ? 'Yahan ki jagahon mein nahi hai' : `In ${inPlaces(all)} nahi hai`),
  notInFiltered: 'Filter wali jagahon mein nahi hai',
  notInCircle: 'Is ghere ki jagahon mein nahi hai',
  filters: (count) => ` (${whole.format(count)} filter)`,
  wasNarrowed: 'Sirf filter wali jagahon mein khoja gaya.',
  searchAll: 'Saari jagahon mein khojein',
  wasNear: 'Sirf ek ghere mein khoja gaya.',
  checkGeometry: 'Point milakar jaanchein',
  wasUnverified: 'Yeh sirf similarity se hai, jo akele kam hi pakki hoti hai.',
  lookYourself: 'Khud dekhein: kisi jagah ko kholkar apni photo ke saath rakhein.',
  betterPhoto: 'Aisi photo aazmayein jismein jagah ka zyada hissa dikhe: saaf, din ki, aur saamne kam rukawat wali.',
  addPhoto: 'Agar yeh jagah yahan honi chahiye, to server chalane wala is photo ka folder jod sakta hai:',
  addCommand: 'place-search add INDEX FOLDER',
  elsewhereMore: (count) => `Milti-julti, par lagta hai jagah koi aur hai (${whole.format(count)})`,
  isFound: (probability, inliers) => `Mil gayi, bharosa ${percent(probability)}${evidence(inliers)}`,
  isUnsure: (probability, inliers) => `Ho sakta hai, bharosa ${percent(probability)}${evidence(inliers)}`,
  isElsewhere: (probability, inliers) =>
    `Lagta hai jagah koi aur hai; yahi hone ki probability ${percent(probability)}${evidence(inliers)}`,
  searchAgain: 'Is photo se khojein',
  searchAgainWith: (rank, name) => `Is photo se khojein: number ${rank}, ${name}`,
  onlyWithin: ({ latitude, longitude, radius_m }) =>
    `Sirf ${latitude.toFixed(4)}, ${longitude.toFixed(4)} se ${distance(radius_m)} ke andar ki jagahein.`,
  searchEverywhere: 'Har jagah khojein',
  photoForgotten: 'Is khoj ki photo ab yahan nahi hai. Use phir se jodein, to wahi khoj chalegi.',
  photoNotInLink: 'Link mein settings aur khuli jagah rehti hai, photo kabhi nahi. Photo jodein, to woh is jagah ke saath dikhegi.',

  rank: (rank) => `Number ${rank}`,
  match: (rank) => `Index ki jagah, number ${rank}`,
  similarity: 'Similarity',
  noPosition: 'Position pata nahi',
  compass,
  looking: (heading) => `disha: ${compass(heading)}`,
  inPanorama: ({ yaw, heading }) =>
    heading === null ? `aapke panorama ke beech se ${whole.format(yaw)}° daayin or` : `aapke panorama mein ${compass(heading)} ki or`,
  utm: (at) => `UTM ${at.zone} ${at.easting.toFixed(1)} E ${at.northing.toFixed(1)} N`,
  copyPosition: (position) => `Position ${position} copy karein`,
  copied: 'Copy ho gaya',
  copyFailed: 'Yahan copy karne ki ijazat nahi hai',
  openLarger: (rank, name) => `Number ${rank}, ${name} ko apni photo ke saath kholein`,
  noThumbnail: 'Chhoti photo nahi hai',

  viewerTitle: (rank, count) => `${count} mein se number ${rank}`,
  placeNumber: (id) => `Jagah ${id}`,
  inTheIndex: 'Index ki jagah',
  lookingForPoints: 'Milte-julte point khoj rahe hain…',
  sharedPoints: (count) => (count ? `${matching(count)}.` : 'Koi point nahi milta.'),
  noSharedPoints: 'Milte-julte point abhi nahi dikhaye ja sakte.',
  showLines: 'Milte-julte point dikhayein',
  yourPhoto: 'Aapki photo',
  close: 'Band karein',
  previous: 'Pichhli',
  next: 'Agli',
  originalGone: 'Asli photo ab wahan nahi hai; yeh uska chhota roop hai.',
  originalLater: 'Asli photo abhi nahi aa sakti.',

  photoNumber: (number) => `Photo ${number}`,
  oneMore: 'Ab ek photo aur jodein.',
  comparing: 'Tulna ho rahi hai…',
  uploadingBoth: (share) => `Dono photo bheji ja rahi hain… ${Math.floor(share * 100)}%`,
  same: 'Ek hi jagah hai',
  perhaps: 'Ho sakta hai ki ek hi jagah ho, par pakka nahi',
  different: 'Lagta hai jagahein alag-alag hain',
  probability: (probability, threshold) =>
    `Dono photo mein ek hi jagah hone ki probability ${percent(probability)} hai. Yeh ${percent(threshold)} ki seema (threshold) se ${
      probability >= threshold ? 'upar' : 'neeche'
    } hai.`,
  thresholdAt: (threshold) => `seema ${percent(threshold)}`,
  matchingPoints: 'Milte-julte point',

  zoomIn: 'Paas se dekhein',
  zoomOut: 'Door se dekhein',
  pinOf: (rank, name) => `Number ${rank}: ${name}`,
  noGround: 'Peeche naksha nahi hai: server ko --tiles-file ya --tiles-url ke saath chalayein (README).',
  noPositions:
    'Is index ki kisi jagah ki position pata nahi hai. Aisi photo ka index banayein jinke Exif mein position ho, ya path, latitude aur longitude wali CSV dein.',
  shownOnMap: (dots, shown, index) => {
    const all = index ? `Position wali ${whole.format(index.positions)} jagahon mein se ${whole.format(shown)}` : `${places(shown)}`;
    const without = index && index.positions < index.places ? ` ${places(index.places - index.positions)} bina position ki ${index.places - index.positions === 1 ? 'hai' : 'hain'}.` : '';
    return `${all} yahan dikh rahi ${shown === 1 ? 'hai' : 'hain'}.${dots < shown ? ' Ek bindu kai jagahon ka ho sakta hai; paas se dekhein.' : ''}${without}`;
  },
  andOthers: (count) => `aur wahin ${whole.format(count)} aur`,
  zoomCloser: (count) => `Is bindu par ${places(count)} hain: paas se dekhein`,
  openPlace: (name) => `${name} kholein`,
  drawHow: 'Map par ghere ke beech mein dabayein, aur kinare tak kheenchein.',
  searchWithin: ({ radius_m }) => `${distance(radius_m)} ke andar khojein`,
  removeCircle: 'Ghera hatayein',

  explaining: 'Model se pooch rahe hain…',
  gridOf: (columns, rows) => `${columns} × ${rows} = ${whole.format(columns * rows)} khaane`,
  seenAs: (width, height) => `${width} × ${height} pixel`,
  clusterOf: (cluster, cells) => `Cluster ${cluster}: ${whole.format(cells)} ${cells === 1 ? 'khaana' : 'khaane'}`,
  allClusters: (used, clusters) =>
    `Is photo mein ${clusters} mein se ${used} cluster hain. Kisi ek ko chunein, to sirf uske khaane dikhenge.`,
  productOf: (clusters, channels, dims) =>
    `${clusters} × ${whole.format(channels)} = ${whole.format(clusters * channels)}${dims === clusters * channels ? '' : `, whitening ke baad ${whole.format(dims)}`}`,
  descriptorOf: (dims) => `Clusters ke jod ki tasveer: ${whole.format(dims)} number`,
  cellsOf: 'Photo, jismein har khaana apne cluster ke rang mein hai',
  servingNow: 'Abhi kaun-sa model kaam kar raha hai',
  backbone: 'Backbone',
  fitted: 'Kaise bana',
  licence: 'Licence',

  reportTitle: (model, truth) => `${truth} par ${model}`,
  reportAbout: (name, protocol, queries, database) =>
    `${name}: ${whole.format(database)} photo mein ${whole.format(queries)} khoj, protocol ${protocol}`,
  perCent: (share) => `${share.toFixed(1)}%`,
  byChance: (share) => `Sirf tukke se: ${share.toFixed(1)}%`,

  apiKey: 'API key',
  useKey: 'Yeh key istemal karein',
  forgetKey: 'Bina key ke aage badhein',
  statusClosed: 'Server key maangta hai',
  statusLoading: 'Server apna index khol raha hai…',
  statusLost: 'Server se jawab nahi mila; phir pooch rahe hain…',
  emptyTitle: 'Is index mein abhi koi jagah nahi hai',
  emptyMend: 'Photo ke folder se ise bharein, phir server dobara chalayein:',
  emptyCommand: 'place-search index PHOTOS --out INDEX\nplace-search serve INDEX',

  oneOf: (names) => (names.length === 2 ? names.join(' ya ') : `In ${names.length} mein se ek photo`),
  thePhoto: 'photo',
  size,
  goesOn: 'Server ke jawab dete hi kaam aage badhega.',
  tryAgain: 'Phir koshish karein',
  tryNow: 'Abhi koshish karein',
  serverSaid: 'Server ne kya kaha',
  againIn: (seconds) => `${whole.format(seconds)} second mein phir koshish hogi.`,
};
