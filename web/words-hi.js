// The words of the pages that are not in the HTML files, in Hindi.

import { percentage, wholeDegrees } from './format.js';

/** @import { Part } from './page-types.js' */

export const whole = new Intl.NumberFormat('hi-IN', { maximumFractionDigits: 0 });

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e6 ? `${bytes && Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} count */
const places = (count) => `${whole.format(count)} ${count === 1 ? 'जगह' : 'जगहें'}`;

/** @param {number} count */
const inPlaces = (count) => `${whole.format(count)} ${count === 1 ? 'जगह' : 'जगहों'} में`;

/** @param {number} count */
const matching = (count) => `${whole.format(count)} बिंदु ${count === 1 ? 'मेल खाता है' : 'मेल खाते हैं'}`;

/** @param {number} metres */
function distance(metres) {
  if (metres < 999.5) return `${metres < 9.95 ? metres.toFixed(1) : Math.round(metres)} मी.`;
  return `${metres < 99_950 ? (metres / 1000).toFixed(1) : whole.format(metres / 1000)} कि.मी.`;
}

/** @param {number} share */
export const percent = (share) => percentage(share, '99% से ज़्यादा', '1% से कम');

/** @param {number | null} inliers */
function evidence(inliers) {
  return inliers === null ? ', केवल समानता से' : `, ${matching(inliers)}`;
}

const COMPASS = ['उत्तर', 'उत्तर-पूर्व', 'पूर्व', 'दक्षिण-पूर्व', 'दक्षिण', 'दक्षिण-पश्चिम', 'पश्चिम', 'उत्तर-पश्चिम'];

/** @param {number} heading degrees from north */
function compass(heading) {
  return `${COMPASS[Math.round(heading / 45) % 8]}, ${whole.format(wholeDegrees(heading))}°`;
}

/** @type {typeof import('./words-en.js').words} */
export const words = {
  search: 'खोज',
  allPlaces: 'जगहें',
  placePage: 'इस जगह का पन्ना',
  placesAlike: 'ऐसी जगहें खोजें',
  placesLike: (name) => `ऐसी जगहें खोजें: ${name}`,
  map: 'नक्शा',
  compare: 'तुलना',
  track: 'रास्ता',
  about: 'परिचय',
  reports: 'रिपोर्ट',
  pages: 'पन्ने',
  toDark: 'गहरे रंग',
  toLight: 'हल्के रंग',
  index: 'इंडेक्स',
  asking: 'सर्वर से पूछ रहे हैं…',
  stop: '।',

  number: (count) => whole.format(count),
  date: (iso, timeZone) => new Date(iso).toLocaleString('hi-IN', { dateStyle: 'long', timeStyle: 'short', timeZone }),
  placesInIndex: 'जगहें',
  withPosition: 'जिनकी स्थिति पता है',
  modelName: 'मॉडल',
  descriptorLength: 'डिस्क्रिप्टर में संख्याएँ',
  built: 'कब बना',
  skippedPhotos: 'छोड़ी गई फ़ोटो',
  skippedWhy: 'ये फ़ोटो क्यों छोड़ी गईं',
  places,
  skippedMore: (count) => `और ${whole.format(count)}`,
  skipped: (count) => `${whole.format(count)} फ़ोटो ${count === 1 ? 'छोड़ी गई' : 'छोड़ी गईं'}`,
  model: (id) => `मॉडल ${id}`,
  dims: (dims) => whole.format(dims),

  choosePhoto: 'फ़ोटो चुनें',
  chooseAnother: 'कोई और फ़ोटो',
  together: (/** @type {number} */ more) => ` (साथ में उसी जगह की ${whole.format(more - 1)} और फ़ोटो)`,
  partLabel: (/** @type {Part} */ [x, y, w, h]) => `खोज का हिस्सा: ${w} × ${h} पिक्सेल, बाएँ से ${x}, ऊपर से ${y}`,
  samples: (each) => (each === 1 ? 'या इनमें से किसी एक से आज़माएँ:' : 'या इनमें से कोई जोड़ी आज़माएँ:'),
  sample: (at, each) => (each === 1 ? `नमूने की फ़ोटो ${at} से खोजें` : `नमूने की जोड़ी ${at} की तुलना करें`),
  severalPhotos: (names, most) =>
    most === 1 ? `एक बार में एक ही फ़ोटो: यह ${names} है।` : most === 2 ? `एक बार में दो ही फ़ोटो: ये ${names} हैं।` : `एक बार में ${most} से ज़्यादा फ़ोटो नहीं: ये ${names} हैं।`,
  nothingDropped: 'यह फ़ोटो की फ़ाइल नहीं थी। पहले फ़ोटो सहेजें, फिर वह फ़ाइल यहाँ डालें।',
  nothingPasted: 'क्लिपबोर्ड में कोई फ़ोटो नहीं है। पहले फ़ोटो कॉपी करें, उसका पता नहीं।',
  noPreview: 'यह ब्राउज़र इस फ़ाइल को नहीं दिखा सकता।',
  caption: (name, bytes) => `${name}, ${size(bytes)}`,
  takenAt: 'फ़ोटो के अनुसार वह यहाँ खींची गई थी:',

  uploading: (share) => `फ़ोटो भेजी जा रही है… ${Math.floor(share * 100)}%`,
  uploadingStarted: 'फ़ोटो भेजी जा रही है…',
  searching: 'खोज रहे हैं…',
  searchingIn: (count) => `${inPlaces(count)} खोज रहे हैं…`,
  found: 'मिल गई',
  firstIs: (verdict, name, similarity) => `${verdict}। सबसे मिलती-जुलती जगह ${name} है, समानता ${similarity}।`,
  facts: (shown, spots, all, ms) =>
    (all === null ? places(shown) : `${whole.format(all)} में से ${places(shown)}`) +
    (spots < shown ? ` (${whole.format(spots)} अलग)` : '') +
    `, ${ms < 1000 ? `${Math.max(1, Math.round(ms))} मि.से.` : `${(ms / 1000).toFixed(1)} से.`} में ${shown === 1 ? 'मिली' : 'मिलीं'}`,

  spots: (count) => `${whole.format(count)} अलग ${count === 1 ? 'जगह' : 'जगहें'}`,
  photos: (count) => `${whole.format(count)} फ़ोटो`,
  morePhotos: (count) => `और इसी जगह की ${count} फ़ोटो`,
  orderSimilar: 'समानता इन जगहों का क्रम तय करती है; यह संभावना नहीं है।',
  orderChecked: 'पहले वे जगहें हैं जिनके बिंदु सही बैठते हैं, फिर सबसे मिलती-जुलती। समानता संभावना नहीं है।',
  estimate: ({ radius_m }) => `अनुमान: फ़ोटो इससे ${distance(radius_m)} के भीतर खींची गई:`,
  fromEstimate: (metres) => `अनुमान से ${distance(metres)}`,
  unsure: 'हो सकता है, पर पक्का नहीं',
  notFound: (all) => (all === null ? 'यहाँ की जगहों में नहीं है' : `इन ${inPlaces(all)} नहीं है`),
  notInFiltered: 'चुनी हुई शर्तों वाली जगहों में नहीं है',
  notInCircle: 'इस घेरे की जगहों में नहीं है',
  filters: (count) => ` (${whole.format(count)} ${count === 1 ? 'शर्त' : 'शर्तें'})`,
  wasNarrowed: 'केवल चुनी हुई शर्तों वाली जगहों में खोजा गया।',
  searchAll: 'सारी जगहों में खोजें',
  wasNear: 'केवल एक घेरे में खोजा गया।',
  checkGeometry: 'बिंदु मिलाकर जाँचें',
  wasUnverified: 'यह केवल समानता से है, जो कम ही पक्की होती है।',
  lookYourself: 'खुद देखें: किसी जगह को खोलकर अपनी फ़ोटो के साथ रखें।',
  betterPhoto: 'ऐसी फ़ोटो आज़माएँ जिसमें जगह का ज़्यादा हिस्सा दिखे: साफ़, दिन की, और सामने कम रुकावट वाली।',
  addPhoto: 'जगह यहाँ होनी चाहिए, तो सर्वर चलाने वाला इस फ़ोटो का फ़ोल्डर जोड़ सकता है:',
  addCommand: 'place-search add INDEX FOLDER',
  elsewhereMore: (count) => `मिलती-जुलती, पर लगता है जगह कोई और है (${whole.format(count)})`,
  isFound: (probability, inliers) => `मिल गई, भरोसा ${percent(probability)}${evidence(inliers)}`,
  isUnsure: (probability, inliers) => `हो सकता है, भरोसा ${percent(probability)}${evidence(inliers)}`,
  isElsewhere: (probability, inliers) =>
    `लगता है जगह कोई और है; यही होने की संभावना ${percent(probability)}${evidence(inliers)}`,
  searchAgain: 'इस फ़ोटो से खोजें',
  searchAgainWith: (rank, name) => `इस फ़ोटो से खोजें: क्रम ${rank}, ${name}`,
  onlyWithin: ({ latitude, longitude, radius_m }) =>
    `केवल ${latitude.toFixed(4)}, ${longitude.toFixed(4)} से ${distance(radius_m)} के भीतर की जगहें।`,
  searchEverywhere: 'सब जगह खोजें',
  photoForgotten: 'इस खोज की फ़ोटो अब यहाँ नहीं है। उसे फिर से जोड़ें, और वही खोज चलेगी।',
  photoNotInLink: 'लिंक में सेटिंग और खुली जगह रहती है, फ़ोटो कभी नहीं। फ़ोटो जोड़ें, तो वह इस जगह के साथ दिखेगी।',

  rank: (rank) => `क्रम ${rank}`,
  match: (rank) => `इंडेक्स की जगह, क्रम ${rank}`,
  similarity: 'समानता',
  noPosition: 'स्थिति पता नहीं',
  compass,
  looking: (heading) => `दिशा: ${compass(heading)}`,
  inPanorama: ({ yaw, heading }) =>
    heading === null ? `आपके पैनोरमा के बीच से ${whole.format(yaw)}° दाईं ओर` : `आपके पैनोरमा में ${compass(heading)} की ओर`,
  utm: (at) => `UTM ${at.zone} ${at.easting.toFixed(1)} E ${at.northing.toFixed(1)} N`,
  copyPosition: (position) => `स्थिति ${position} कॉपी करें`,
  copied: 'कॉपी हो गया',
  copyFailed: 'यहाँ कॉपी करने की अनुमति नहीं है',
  openLarger: (rank, name) => `क्रम ${rank}, ${name} को अपनी फ़ोटो के साथ खोलें`,
  noThumbnail: 'छोटी फ़ोटो नहीं है',

  viewerTitle: (rank, count) => `${count} में से क्रम ${rank}`,
  placeNumber: (id) => `जगह ${id}`,
  inTheIndex: 'इंडेक्स की जगह',
  lookingForPoints: 'मेल खाते बिंदु खोज रहे हैं…',
  sharedPoints: (count) => (count ? `${matching(count)}।` : 'कोई बिंदु मेल नहीं खाता।'),
  noSharedPoints: 'मेल खाते बिंदु अभी नहीं दिखाए जा सकते।',
  showLines: 'मेल खाते बिंदु दिखाएँ',
  yourPhoto: 'आपकी फ़ोटो',
  close: 'बंद करें',
  previous: 'पिछली',
  next: 'अगली',
  originalGone: 'मूल फ़ोटो अब वहाँ नहीं है; यह उसका छोटा रूप है।',
  originalLater: 'मूल फ़ोटो अभी नहीं आ सकती।',

  photoNumber: (number) => `फ़ोटो ${number}`,
  oneMore: 'अब एक फ़ोटो और जोड़ें।',
  comparing: 'तुलना हो रही है…',
  uploadingBoth: (share) => `फ़ोटो भेजी जा रही हैं… ${Math.floor(share * 100)}%`,
  same: 'एक ही जगह है',
  perhaps: 'हो सकता है कि एक ही जगह हो, पर पक्का नहीं',
  different: 'लगता है जगहें अलग-अलग हैं',
  probability: (probability, threshold) =>
    `दोनों फ़ोटो में एक ही जगह होने की संभावना ${percent(probability)} है। यह ${percent(threshold)} की सीमा से ${
      probability >= threshold ? 'ऊपर' : 'नीचे'
    } है।`,
  thresholdAt: (threshold) => `सीमा ${percent(threshold)}`,
  matchingPoints: 'मेल खाते बिंदु',

  zoomIn: 'पास से देखें',
  zoomOut: 'दूर से देखें',
  pinOf: (rank, name) => `क्रम ${rank}: ${name}`,
  noGround: 'पीछे नक्शा नहीं है: सर्वर को --tiles-file या --tiles-url के साथ चलाएँ (README)।',
  noPositions:
    'इस इंडेक्स की किसी जगह की स्थिति पता नहीं है। ऐसी फ़ोटो का इंडेक्स बनाएँ जिनके Exif में स्थिति हो, या path, latitude और longitude वाली CSV दें।',
  shownOnMap: (dots, shown, index) => {
    const all = index ? `स्थिति वाली ${whole.format(index.positions)} जगहों में से ${whole.format(shown)}` : `${places(shown)}`;
    const without = index && index.positions < index.places ? ` ${places(index.places - index.positions)} बिना स्थिति की ${index.places - index.positions === 1 ? 'है' : 'हैं'}।` : '';
    return `${all} यहाँ दिख रही ${shown === 1 ? 'है' : 'हैं'}।${dots < shown ? ' एक बिंदु कई जगहों का हो सकता है; पास से देखें।' : ''}${without}`;
  },
  andOthers: (count) => `और वहीं ${whole.format(count)} और`,
  zoomCloser: (count) => `इस बिंदु पर ${places(count)} हैं: पास से देखें`,
  openPlace: (name) => `${name} खोलें`,
  drawHow: 'नक्शे पर घेरे के बीच में दबाएँ, और किनारे तक खींचें।',
  searchWithin: ({ radius_m }) => `${distance(radius_m)} के भीतर खोजें`,
  removeCircle: 'घेरा हटाएँ',

  explaining: 'मॉडल से पूछ रहे हैं…',
  gridOf: (columns, rows) => `${columns} × ${rows} = ${whole.format(columns * rows)} खाने`,
  seenAs: (width, height) => `${width} × ${height} पिक्सेल`,
  clusterOf: (cluster, cells) => `क्लस्टर ${cluster}: ${whole.format(cells)} ${cells === 1 ? 'खाना' : 'खाने'}`,
  allClusters: (used, clusters) => `इस फ़ोटो में ${clusters} में से ${used} क्लस्टर हैं। किसी एक को चुनें, तो केवल उसके खाने दिखेंगे।`,
  productOf: (clusters, channels, dims) =>
    `${clusters} × ${whole.format(channels)} = ${whole.format(clusters * channels)}${dims === clusters * channels ? '' : `, whitening के बाद ${whole.format(dims)}`}`,
  descriptorOf: (dims) => `क्लस्टरों के जोड़ का चित्र: ${whole.format(dims)} संख्याएँ`,
  cellsOf: 'फ़ोटो, जिसमें हर खाना अपने क्लस्टर के रंग में है',
  servingNow: 'अभी कौन-सा मॉडल काम कर रहा है',
  backbone: 'आधार-नेटवर्क (backbone)',
  fitted: 'कैसे बना',
  licence: 'लाइसेंस',

  reportTitle: (model, truth) => `${truth} पर ${model}`,
  reportAbout: (name, protocol, queries, database) =>
    `${name}: ${whole.format(database)} फ़ोटो में ${whole.format(queries)} खोज, प्रोटोकॉल ${protocol}`,
  perCent: (share) => `${share.toFixed(1)}%`,
  byChance: (share) => `संयोग से: ${share.toFixed(1)}%`,

  apiKey: 'API कुंजी',
  useKey: 'यह कुंजी इस्तेमाल करें',
  forgetKey: 'बिना कुंजी के आगे बढ़ें',
  statusClosed: 'सर्वर कुंजी माँगता है',
  statusLoading: 'सर्वर अपना इंडेक्स खोल रहा है…',
  statusLost: 'सर्वर से जवाब नहीं मिला; फिर पूछ रहे हैं…',
  emptyTitle: 'इस इंडेक्स में अभी कोई जगह नहीं है',
  emptyMend: 'फ़ोटो के फ़ोल्डर से इसे भरें, फिर सर्वर दोबारा चलाएँ:',
  emptyCommand: 'place-search index PHOTOS --out INDEX\nplace-search serve INDEX',

  oneOf: (names) => (names.length === 2 ? names.join(' या ') : `इन ${names.length} में से एक फ़ोटो`),
  thePhoto: 'फ़ोटो',
  size,
  goesOn: 'सर्वर के जवाब देते ही काम आगे बढ़ेगा।',
  tryAgain: 'फिर कोशिश करें',
  tryNow: 'अभी कोशिश करें',
  serverSaid: 'सर्वर ने क्या कहा',
  againIn: (seconds) => `${whole.format(seconds)} सेकंड में फिर कोशिश होगी।`,
};
