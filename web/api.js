// The HTTP API, as promises that reject with ApiError.

import { authorization, hasKey } from './key.js';

/** @import { Part, Problem, Settings } from './page-types.js' */
/** @import { CompareReply, DotsReply, ExplainReply, IndexReply, IndexesReply, ModelReply, PlaceReply, PlacesReply, ProblemReply, ReportReply, SearchReply, TrackReply, TrackedFrameReply } from './types.js' */

/** @typedef {{signal: AbortSignal, onUpload?: (share: number) => void, onUploaded?: () => void}} UploadOptions */

/** Pixels of the longest side that the pages ask for, of a photo and of a thumbnail. */
export const MAX_PHOTO_SIDE = 1600;
const MAX_THUMBNAIL_SIDE = 320;
/** Pixels: sides are multiples of this, so that the browser's cache has them more often. */
const SIDE_STEP = 80;

/** A request that failed, with the problem that the server described. */
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
 * @param {UploadOptions} options
 */
export async function searchPlaces(photos, { k, verify, area, box, only }, options) {
  // The page shows one card a spot, so `k` counts spots.
  const query = new URLSearchParams({ k: `${k}`, spots: 'true', verify: `${verify}`, ...only });
  if (area) {
    query.set('near', `${area.latitude},${area.longitude}`);
    query.set('radius_m', `${area.radius_m}`);
  }
  if (box) query.set('box', `${box}`);
  const reply = /** @type {SearchReply} */ (await postPhotos(`v1/search?${query}`, { photo: photos }, options));
  return { ...reply, results: reply.results.map(withOwnAddresses) };
}

/**
 * @param {File} image1
 * @param {File} image2
 * @param {UploadOptions} options
 * @param {Part | null} [box] the part of `image1` that is compared
 */
export async function comparePhotos(image1, image2, options, box = null) {
  return /** @type {CompareReply} */ (await postPhotos(`v1/compare${box ? `?box=${box}` : ''}`, { image1, image2 }, options));
}

/**
 * @param {File} photo
 * @param {UploadOptions} options
 */
export async function explainPhoto(photo, options) {
  return /** @type {ExplainReply} */ (await postPhotos('v1/explain', { photo }, options));
}

/** @param {AbortSignal} signal */
export async function openTrack(signal) {
  return /** @type {TrackReply} */ (await (await request('v1/tracks', signal, { method: 'POST' })).json());
}

/**
 * @param {string} track
 * @param {File} photo the next frame
 * @param {UploadOptions} options
 */
export async function addFrame(track, photo, options) {
  return /** @type {TrackedFrameReply} */ (await postPhotos(`v1/tracks/${track}/frames`, { photo }, options));
}

/**
 * Close a track, even while the reader leaves the page. The server closes forgotten tracks in time.
 * @param {string} track
 */
export function closeTrack(track) {
  void fetch(`v1/tracks/${track}`, { method: 'DELETE', headers: authorization(), keepalive: true }).catch(() => {});
}

/**
 * Post photos. The promise rejects with ApiError, or with the signal's reason.
 * @param {string} address
 * @param {Record<string, File | File[]>} photos by form field
 * @param {UploadOptions} options
 * @returns {Promise<unknown>}
 */
function postPhotos(address, photos, { signal, onUpload, onUploaded }) {
  return new Promise((resolve, reject) => {
    // fetch() cannot tell how much of an upload is sent.
    const xhr = new XMLHttpRequest();
    const form = new FormData();
    for (const [field, files] of Object.entries(photos)) {
      for (const photo of [files].flat()) form.append(field, photo, photo.name);
    }

    xhr.open('POST', address);
    for (const [name, value] of Object.entries(authorization())) xhr.setRequestHeader(name, value);
    xhr.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable && event.total) onUpload?.(event.loaded / event.total);
    });
    xhr.upload.addEventListener('load', () => onUploaded?.());
    xhr.addEventListener('load', () => {
      const reply = parse(xhr.responseText);
      if (xhr.status === 200 && reply) {
        resolve(reply);
      } else {
        const wait = Number(xhr.getResponseHeader('Retry-After'));
        reject(new ApiError(problemOf(xhr.status, reply, wait)));
      }
    });
    xhr.addEventListener('error', async () => {
      reject(new ApiError({ ...connectionLost(), alive: await isAlive() }));
    });
    signal.addEventListener('abort', () => {
      xhr.abort();
      reject(signal.reason);
    });
    xhr.send(form);
  });
}

/** The index that the server searches in. */
export async function readIndex() {
  return /** @type {IndexReply} */ (await readJson('v1/index'));
}

/**
 * The server's indexes that the key may see.
 * @param {AbortSignal} [signal]
 */
export async function readIndexes(signal) {
  return /** @type {IndexesReply} */ (await readJson('v1/indexes', signal)).indexes;
}

/** The model that the server searches with. */
export async function readModel() {
  return /** @type {ModelReply} */ (await readJson('v1/model'));
}

/**
 * @param {number} id
 * @param {AbortSignal} [signal]
 */
export async function readPlace(id, signal) {
  return withOwnAddresses(/** @type {PlaceReply} */ (await readJson(`v1/places/${id}`, signal)));
}

/**
 * The places of a box of the map as dots; the server merges dots where they are many.
 * @param {[number, number, number, number]} bbox west, south, east, north
 * @param {AbortSignal} signal
 */
export async function readDots(bbox, signal) {
  const box = bbox.map((degrees) => degrees.toFixed(7)).join(',');
  return /** @type {DotsReply} */ (await readJson(`v1/places?bbox=${box}`, signal));
}

/**
 * A page of the list of the index's places.
 * @param {Record<string, string>} filters q, folder, taken_from, taken_to, sort; "" for any
 * @param {string | null} cursor the previous page's `next_cursor`; null for the first page
 * @param {AbortSignal} signal
 */
export async function listPlaces(filters, cursor, signal) {
  // A short first page comes soon; a reader who scrolls far needs few requests.
  const query = new URLSearchParams({ limit: cursor ? '1000' : '200' });
  for (const [name, value] of Object.entries(filters)) if (value) query.set(name, value);
  if (cursor) query.set('cursor', cursor);
  const page = /** @type {PlacesReply} */ (await readJson(`v1/places?${query}`, signal));
  return { ...page, places: page.places.map(withOwnAddresses) };
}

/** @param {AbortSignal} signal */
export async function readReports(signal) {
  return /** @type {ReportReply[]} */ (await readJson('v1/reports', signal));
}

/**
 * A place whose image addresses start at this page's folder: a proxy may show the server below a
 * path that the server does not know.
 * @template {Pick<PlaceReply, 'image_url' | 'thumbnail_url'>} Place
 * @param {Place} place
 * @returns {Place}
 */
export function withOwnAddresses(place) {
  const ownAddress = (/** @type {string} */ address) =>
    new URL('.', location.href).pathname + address.slice(address.lastIndexOf('/v1/') + 1);
  return { ...place, image_url: ownAddress(place.image_url), thumbnail_url: ownAddress(place.thumbnail_url) };
}

/**
 * A place's photo, as a file to search or compare with.
 * @param {Pick<PlaceReply, 'name' | 'image_url'>} place
 * @param {AbortSignal} [signal]
 */
export async function readPhoto({ name, image_url }, signal) {
  const response = await request(image_url, signal);
  const photo = await response.blob();
  return new File([photo], name.split('/').slice(-2).join('/'), { type: photo.type });
}

/**
 * Show a picture of the server. Where a key is needed, fetch it: `src` cannot send a header.
 * @param {HTMLImageElement} image
 * @param {string} address
 */
export async function showPicture(image, address) {
  if (!hasKey()) {
    image.src = address;
    return;
  }
  try {
    await showBlob(image, await (await request(address)).blob());
  } catch {
    image.dispatchEvent(new Event('error'));
  }
}

/**
 * The address of a place's photo in the size that it is shown with.
 * @param {Pick<PlaceReply, 'image_url'>} place
 * @param {number} side the longer side, in CSS pixels
 */
export function photoAddress({ image_url }, side) {
  return `${image_url}${image_url.includes('?') ? '&' : '?'}side=${devicePixels(side, MAX_PHOTO_SIDE)}`;
}

/**
 * A side in pixels of the screen, a multiple of `SIDE_STEP` up to `max`.
 * @param {number} side in CSS pixels
 * @param {number} max
 */
function devicePixels(side, max) {
  // Nobody sees more than two screen pixels a CSS pixel.
  const steps = Math.max(1, Math.ceil((side * Math.min(devicePixelRatio, 2)) / SIDE_STEP));
  return Math.min(max, steps * SIDE_STEP);
}

/**
 * Show the thumbnails of several places, which one request reads; rejects with ApiError.
 * @param {[number, HTMLImageElement][]} images by the place's id
 * @param {number} side the longer side, in CSS pixels
 * @param {string} index the index's id: the browser keeps thumbnails by it
 */
export async function showThumbnails(images, side, index) {
  const query = new URLSearchParams({ v: index, side: `${devicePixels(side, MAX_THUMBNAIL_SIDE)}` });
  for (const [place] of images) query.append('place', `${place}`);
  const form = await (await request(`v1/thumbnails?${query}`)).formData();
  for (const [place, image] of images) {
    const picture = form.get(`${place}`);
    if (picture instanceof Blob) void showBlob(image, picture);
    else image.dispatchEvent(new Event('error'));
  }
}

/**
 * Show a picture by a data URL: `URL.createObjectURL` blocks the page for a millisecond.
 * @param {HTMLImageElement} image
 * @param {Blob} picture
 */
async function showBlob(image, picture) {
  const reader = new FileReader();
  reader.readAsDataURL(picture);
  await new Promise((resolve) => reader.addEventListener('load', resolve));
  image.src = `${reader.result}`;
}

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<unknown>}
 */
async function readJson(address, signal) {
  return (await request(address, signal)).json();
}

/**
 * The response of a successful request; rejects with ApiError, or with the signal's reason.
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @param {{method?: string, headers?: Record<string, string>, body?: BodyInit}} [options]
 */
export async function request(address, signal, { headers = {}, ...options } = {}) {
  let response, body;
  try {
    response = await fetch(address, { cache: 'no-cache', ...options, headers: { ...headers, ...authorization() }, signal: signal ?? null });
    // The connection may also be lost while the body is read.
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
 * @param {unknown} body problem+json, or null where the server wrote none
 * @param {number} retryAfter
 * @returns {Problem}
 */
function problemOf(status, body, retryAfter) {
  const { type = '', detail = '', reason = null } = /** @type {Partial<ProblemReply>} */ (body ?? {});
  return { status, type, detail, reason, retryAfter: retryAfter > 0 ? retryAfter : 0, alive: status > 0, keyed: hasKey() };
}

/** The problem of a request whose connection was lost. */
export const connectionLost = () => problemOf(0, null, 0);

/** @param {string} text */
function parse(text) {
  try {
    return /** @type {unknown} */ (JSON.parse(text));
  } catch {
    return null;
  }
}
