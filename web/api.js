// The HTTP API, as promises that reject with ApiError.

import { authorization, hasKey } from './key.js';

/** @import { Part, Problem, Settings } from './page-types.js' */
/** @import { CompareReply, DotsReply, ExplainReply, IndexReply, IndexesReply, ModelReply, PlaceReply, PlacesReply, ProblemReply, ReportReply, SearchReply, TrackReply, TrackedFrameReply } from './types.js' */

/** @typedef {{signal: AbortSignal, onUpload?: (share: number) => void, onUploaded?: () => void}} Sending */

/** Pixels that no side of a photo, and of a thumbnail, is longer than. */
export const MOST_OF_A_PHOTO = 1600;
const MOST_OF_A_THUMBNAIL = 320;
/** Pixels: a browser asks for few sizes, so that it has them. */
const SIDE_STEP = 80;

/** A request that brought no answer of use. */
export class ApiError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || `status ${problem.status}`);
    this.problem = problem;
  }
}

/**
 * @param {File[]} photos of one spot
 * @param {Settings} settings
 * @param {Sending} sending
 */
export async function searchPlaces(photos, { k, verify, area, box, only }, sending) {
  // Photos of one spot are one card, so it is spots that are asked for.
  const query = new URLSearchParams({ k: `${k}`, spots: 'true', verify: `${verify}`, ...only });
  if (area) {
    query.set('near', `${area.latitude},${area.longitude}`);
    query.set('radius_m', `${area.radius_m}`);
  }
  if (box) query.set('box', `${box}`);
  const reply = /** @type {SearchReply} */ (await send(`v1/search?${query}`, { photo: photos }, sending));
  return { ...reply, results: reply.results.map(seenFromHere) };
}

/**
 * @param {File} image1
 * @param {File} image2
 * @param {Sending} sending
 * @param {Part | null} [box] the part of the first that is compared
 */
export async function comparePhotos(image1, image2, sending, box = null) {
  return /** @type {CompareReply} */ (await send(`v1/compare${box ? `?box=${box}` : ''}`, { image1, image2 }, sending));
}

/**
 * @param {File} photo
 * @param {Sending} sending
 */
export async function explainPhoto(photo, sending) {
  return /** @type {ExplainReply} */ (await send('v1/explain', { photo }, sending));
}

/** @param {AbortSignal} signal */
export async function openTrack(signal) {
  return /** @type {TrackReply} */ (await (await answered('v1/tracks', signal, { method: 'POST' })).json());
}

/**
 * @param {string} track
 * @param {File} photo the next frame
 * @param {Sending} sending
 */
export async function addFrame(track, photo, sending) {
  return /** @type {TrackedFrameReply} */ (await send(`v1/tracks/${track}/frames`, { photo }, sending));
}

/**
 * Close a track, even while the page is left. One that stays open closes itself in time.
 * @param {string} track
 */
export function closeTrack(track) {
  void fetch(`v1/tracks/${track}`, { method: 'DELETE', headers: authorization(), keepalive: true }).catch(() => {});
}

/**
 * Post photos. The promise rejects with ApiError, or with the signal's reason.
 * @param {string} address
 * @param {Record<string, File | File[]>} photos by form field
 * @param {Sending} sending
 * @returns {Promise<unknown>}
 */
function send(address, photos, { signal, onUpload, onUploaded }) {
  return new Promise((resolve, reject) => {
    // fetch() cannot tell how much of an upload is sent.
    const request = new XMLHttpRequest();
    const form = new FormData();
    for (const [field, sent] of Object.entries(photos)) {
      for (const photo of [sent].flat()) form.append(field, photo, photo.name);
    }

    request.open('POST', address);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable && event.total) onUpload?.(event.loaded / event.total);
    });
    request.upload.addEventListener('load', () => onUploaded?.());
    request.addEventListener('load', () => {
      const reply = parse(request.responseText);
      if (request.status === 200 && reply) {
        resolve(reply);
      } else {
        const wait = Number(request.getResponseHeader('Retry-After'));
        reject(new ApiError(problemOf(request.status, reply, wait)));
      }
    });
    request.addEventListener('error', async () => {
      reject(new ApiError({ ...connectionLost(), alive: await isAlive() }));
    });
    signal.addEventListener('abort', () => {
      request.abort();
      reject(signal.reason);
    });
    request.send(form);
  });
}

/** What the server searches in. */
export async function readIndex() {
  return /** @type {IndexReply} */ (await read('v1/index'));
}

/**
 * The server's indexes that one may see.
 * @param {AbortSignal} [signal]
 */
export async function readIndexes(signal) {
  return /** @type {IndexesReply} */ (await read('v1/indexes', signal)).indexes;
}

/** What the model that searches is. */
export async function readModel() {
  return /** @type {ModelReply} */ (await read('v1/model'));
}

/**
 * @param {number} id
 * @param {AbortSignal} [signal]
 */
export async function readPlace(id, signal) {
  return seenFromHere(/** @type {PlaceReply} */ (await read(`v1/places/${id}`, signal)));
}

/**
 * The places of a box of the map, thinned where they are many.
 * @param {[number, number, number, number]} bbox west, south, east, north
 * @param {AbortSignal} signal
 */
export async function readPlaces(bbox, signal) {
  const box = bbox.map((degrees) => degrees.toFixed(7)).join(',');
  return /** @type {DotsReply} */ (await read(`v1/places?bbox=${box}`, signal));
}

/**
 * A page of the places of the index.
 * @param {Record<string, string>} wanted q, folder, taken_from, taken_to, sort; "" for any
 * @param {string | null} cursor that of the page before
 * @param {AbortSignal} signal
 */
export async function listPlaces(wanted, cursor, signal) {
  // The first page is soon there; who scrolls far needs many.
  const query = new URLSearchParams({ limit: cursor ? '1000' : '200' });
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
  if (cursor) query.set('cursor', cursor);
  const page = /** @type {PlacesReply} */ (await read(`v1/places?${query}`, signal));
  return { ...page, places: page.places.map(seenFromHere) };
}

/** @param {AbortSignal} signal */
export async function readReports(signal) {
  return /** @type {ReportReply[]} */ (await read('v1/reports', signal));
}

/**
 * A place with the addresses of its images as the browser reaches them: a proxy may show the
 * server below a path that nobody told the server.
 * @template {Pick<PlaceReply, 'image_url' | 'thumbnail_url'>} Place
 * @param {Place} place
 * @returns {Place}
 */
export function seenFromHere(place) {
  const here = (/** @type {string} */ address) =>
    new URL('.', location.href).pathname + address.slice(address.lastIndexOf('/v1/') + 1);
  return { ...place, image_url: here(place.image_url), thumbnail_url: here(place.thumbnail_url) };
}

/**
 * A place's photo, as a file to search or compare with.
 * @param {Pick<PlaceReply, 'name' | 'image_url'>} place
 * @param {AbortSignal} [signal]
 */
export async function readPhoto({ name, image_url }, signal) {
  const response = await answered(image_url, signal);
  const photo = await response.blob();
  return new File([photo], name.split('/').slice(-2).join('/'), { type: photo.type });
}

/**
 * Show a picture of the server. An image cannot show a key itself.
 * @param {HTMLImageElement} image
 * @param {string} address
 */
export async function showPicture(image, address) {
  if (!hasKey()) {
    image.src = address;
    return;
  }
  try {
    await showBlob(image, await (await answered(address)).blob());
  } catch {
    image.dispatchEvent(new Event('error'));
  }
}

/**
 * The address of a place's photo that is as large as it is shown.
 * @param {Pick<PlaceReply, 'image_url'>} place
 * @param {number} side the longer one, in pixels of the style sheet
 */
export function photoSized({ image_url }, side) {
  return `${image_url}${image_url.includes('?') ? '&' : '?'}side=${pixelsOf(side, MOST_OF_A_PHOTO)}`;
}

/**
 * @param {number} side in pixels of the style sheet
 * @param {number} most pixels that there are
 */
function pixelsOf(side, most) {
  // More than two pixels where the style sheet has one are not seen.
  const steps = Math.max(1, Math.ceil((side * Math.min(devicePixelRatio, 2)) / SIDE_STEP));
  return Math.min(most, steps * SIDE_STEP);
}

/**
 * Show the thumbnails of several places, which come in one answer; rejects with ApiError.
 * @param {[number, HTMLImageElement][]} images by the place's id
 * @param {number} side the longer one, in pixels of the style sheet
 * @param {string} index its id, by which the browser may keep them
 */
export async function showThumbnails(images, side, index) {
  const query = new URLSearchParams({ v: index, side: `${pixelsOf(side, MOST_OF_A_THUMBNAIL)}` });
  for (const [place] of images) query.append('place', `${place}`);
  const form = await (await answered(`v1/thumbnails?${query}`)).formData();
  for (const [place, image] of images) {
    const picture = form.get(`${place}`);
    if (picture instanceof Blob) void showBlob(image, picture);
    else image.dispatchEvent(new Event('error'));
  }
}

/**
 * Not by `URL.createObjectURL`, which holds up the page for a millisecond.
 * @param {HTMLImageElement} image
 * @param {Blob} picture
 */
async function showBlob(image, picture) {
  const reader = new FileReader();
  reader.readAsDataURL(picture);
  await new Promise((read) => reader.addEventListener('load', read));
  image.src = `${reader.result}`;
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<unknown>}
 */
async function read(address, signal) {
  return (await answered(address, signal)).json();
}

/**
 * An answer of use; rejects with ApiError, or when the signal says so.
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @param {{method?: string, headers?: Record<string, string>, body?: BodyInit}} [sent]
 */
export async function answered(address, signal, { headers = {}, ...sent } = {}) {
  let response, body;
  try {
    response = await fetch(address, { cache: 'no-cache', ...sent, headers: { ...headers, ...authorization() }, signal: signal ?? null });
    // The connection may be lost in the middle of it, too.
    body = await response.arrayBuffer();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(connectionLost());
  }
  if (response.ok) return new Response(body.byteLength ? body : null, response);
  const wait = Number(response.headers.get('Retry-After'));
  throw new ApiError(problemOf(response.status, parse(new TextDecoder().decode(body)), wait));
}

/**
 * Whether the server is ready to search.
 * @returns {Promise<'ready' | 'loading' | 'lost'>}
 */
export async function readiness() {
  try {
    const response = await fetch('readyz', { cache: 'no-store' });
    return response.ok ? 'ready' : 'loading';
  } catch {
    return 'lost';
  }
}

async function isAlive() {
  return (await readiness()) !== 'lost';
}

/**
 * @param {number} status
 * @param {unknown} body problem+json, where the server had the time to write it
 * @param {number} retryAfter
 * @returns {Problem}
 */
function problemOf(status, body, retryAfter) {
  const { type = '', detail = '', reason = null } = /** @type {Partial<ProblemReply>} */ (body ?? {});
  return { status, type, detail, reason, retryAfter: retryAfter > 0 ? retryAfter : 0, alive: status > 0, keyed: hasKey() };
}

/** The problem of a request that got no whole answer. */
export const connectionLost = () => problemOf(0, null, 0);

/** @param {string} text */
function parse(text) {
  try {
    return /** @type {unknown} */ (JSON.parse(text));
  } catch {
    return null;
  }
}
