// The HTTP API for a place's page: a place, its group, similar places, and changes of them.

import { readIndexes, request, withOwnAddresses } from './api.js';
import { ownIndex } from './indexes.js';

/** @import { AddedPlaceReply, PlaceDetailsReply, PlaceGroupReply, ServedIndexReply, SimilarReply } from './types.js' */

/** @typedef {ServedIndexReply['changes'] | 'removed'} ChangeRight */
/** @typedef {{place: PlaceDetailsReply, etag: string}} PlaceVersion */
/** @typedef {{group: PlaceGroupReply, etag: string}} GroupVersion */

/**
 * @param {number} id
 * @param {AbortSignal} [signal]
 */
export async function readPlaceVersion(id, signal) {
  return placeVersion(await request(`v1/places/${id}`, signal));
}

/**
 * Change a place, unless somebody else has changed it since this version.
 * @param {number} id
 * @param {Record<string, unknown>} patch
 * @param {string} etag
 */
export async function changePlace(id, patch, etag) {
  return placeVersion(await request(`v1/places/${id}`, undefined, jsonRequest('PATCH', patch, etag)));
}

/**
 * @param {number} id
 * @param {string} etag
 */
export async function removePlace(id, etag) {
  await request(`v1/places/${id}`, undefined, { method: 'DELETE', headers: { 'If-Match': etag } });
}

/** @param {number} id */
export async function restorePlace(id) {
  return placeVersion(await request(`v1/places/${id}/restore`, undefined, { method: 'POST' }));
}

/** A key for `addPlace`, by which the server recognises a request that is sent again. */
export function newIdempotencyKey() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join('-');
}

/**
 * Add a photo to the index; the place of the answer has notes on the photo.
 * @param {File} photo
 * @param {PlaceDetailsReply['position']} position null for the position in the photo's Exif
 * @param {string} key of `newIdempotencyKey`: with the same key, a photo is added once
 */
export async function addPlace(photo, position, key) {
  const body = new FormData();
  body.append('photo', photo, photo.name);
  body.append('name', photo.name);
  for (const [name, degrees] of Object.entries(position ?? {})) body.append(name, `${degrees}`);
  const response = await request('v1/places', undefined, { method: 'POST', headers: { 'Idempotency-Key': key }, body });
  return /** @type {AddedPlaceReply} */ (await response.json());
}

/**
 * @param {number} id a place of the group
 * @param {AbortSignal} [signal]
 */
export async function readGroup(id, signal) {
  return groupVersion(await request(`v1/places/${id}/group`, signal));
}

/**
 * @param {number} id a place of the group, which stays in it
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {string} [etag]
 */
export async function changeGroup(id, patch, etag) {
  return groupVersion(await request(`v1/places/${id}/group`, undefined, jsonRequest('PATCH', patch, etag)));
}

/**
 * @param {number} id
 * @param {AbortSignal} [signal]
 */
export async function readSimilar(id, signal) {
  const reply = /** @type {SimilarReply} */ (await (await request(`v1/places/${id}/similar?k=12`, signal)).json());
  return reply.results.map(withOwnAddresses);
}

/**
 * Whether this reader may change the index; `removed` where its folder is missing on the server.
 * @param {AbortSignal} [signal]
 * @returns {Promise<ChangeRight>}
 */
export async function readChangeRight(signal) {
  const own = ownIndex(await readIndexes(signal));
  return own?.status === 'removed' ? 'removed' : (own?.changes ?? 'never');
}

/**
 * @param {Response} response
 * @returns {Promise<PlaceVersion>}
 */
async function placeVersion(response) {
  return { place: withOwnAddresses(/** @type {PlaceDetailsReply} */ (await response.json())), etag: response.headers.get('ETag') ?? '*' };
}

/**
 * @param {Response} response
 * @returns {Promise<GroupVersion>}
 */
async function groupVersion(response) {
  const group = /** @type {PlaceGroupReply} */ (await response.json());
  return { group: { ...group, places: group.places.map(withOwnAddresses) }, etag: response.headers.get('ETag') ?? '*' };
}

/**
 * @param {string} method
 * @param {Record<string, unknown>} body
 * @param {string} [etag]
 */
function jsonRequest(method, body, etag) {
  const headers = { 'Content-Type': 'application/json', ...(etag ? { 'If-Match': etag } : {}) };
  return { method, headers, body: JSON.stringify(body) };
}
