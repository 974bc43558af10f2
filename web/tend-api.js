// The part of the HTTP API that a place's page asks: a place, its group, places like it, changes.

import { answered, readIndexes, seenFromHere } from './api.js';
import { ownIndex } from './indexes.js';

/** @import { PlaceDetailsReply, PlaceGroupReply, ServedIndexReply, SimilarReply } from './types.js' */

/** @typedef {ServedIndexReply['changes'] | 'removed'} MayChange */
/** @typedef {{place: PlaceDetailsReply, etag: string}} Tended a place, and the version that it is */
/** @typedef {{group: PlaceGroupReply, etag: string}} Spot a group, and the version that it is */

/**
 * @param {number} id
 * @param {AbortSignal} [signal]
 */
export async function readTended(id, signal) {
  return tended(await answered(`v1/places/${id}`, signal));
}

/**
 * Say something of a place, if it still is of this version.
 * @param {number} id
 * @param {Record<string, unknown>} patch
 * @param {string} etag
 */
export async function changePlace(id, patch, etag) {
  return tended(await answered(`v1/places/${id}`, undefined, json('PATCH', patch, etag)));
}

/**
 * @param {number} id
 * @param {string} etag
 */
export async function removePlace(id, etag) {
  await answered(`v1/places/${id}`, undefined, { method: 'DELETE', headers: { 'If-Match': etag } });
}

/** @param {number} id */
export async function restorePlace(id) {
  return tended(await answered(`v1/places/${id}/restore`, undefined, { method: 'POST' }));
}

/** A key by which the server knows that the same is asked again. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join('-');
}

/**
 * Add a photo to the index.
 * @param {File} photo
 * @param {PlaceDetailsReply['position']} position null for that of the photo
 * @param {string} key one of `newKey`: with the same key, a photo is added once
 */
export async function addPlace(photo, position, key) {
  const body = new FormData();
  body.append('photo', photo, photo.name);
  body.append('name', photo.name);
  for (const [name, degrees] of Object.entries(position ?? {})) body.append(name, `${degrees}`);
  return (await tended(await answered('v1/places', undefined, { method: 'POST', headers: { 'Idempotency-Key': key }, body }))).place;
}

/**
 * @param {number} id a place of the group
 * @param {AbortSignal} [signal]
 */
export async function readSpot(id, signal) {
  return spot(await answered(`v1/places/${id}/group`, signal));
}

/**
 * @param {number} id a place of the group, which stays in it
 * @param {{name?: string | null, add?: number[], remove?: number[]}} patch
 * @param {string} [etag]
 */
export async function changeSpot(id, patch, etag) {
  return spot(await answered(`v1/places/${id}/group`, undefined, json('PATCH', patch, etag)));
}

/**
 * @param {number} id
 * @param {AbortSignal} [signal]
 */
export async function readAlike(id, signal) {
  const reply = /** @type {SimilarReply} */ (await (await answered(`v1/places/${id}/similar?k=12`, signal)).json());
  return reply.results.map(seenFromHere);
}

/**
 * Whether this visitor may change the index; `removed` for one that has gone beside the server.
 * @param {AbortSignal} [signal]
 * @returns {Promise<MayChange>}
 */
export async function readChanges(signal) {
  const own = ownIndex(await readIndexes(signal));
  return own?.status === 'removed' ? 'removed' : (own?.changes ?? 'never');
}

/**
 * @param {Response} response
 * @returns {Promise<Tended>}
 */
async function tended(response) {
  return { place: seenFromHere(/** @type {PlaceDetailsReply} */ (await response.json())), etag: response.headers.get('ETag') ?? '*' };
}

/**
 * @param {Response} response
 * @returns {Promise<Spot>}
 */
async function spot(response) {
  const group = /** @type {PlaceGroupReply} */ (await response.json());
  return { group: { ...group, places: group.places.map(seenFromHere) }, etag: response.headers.get('ETag') ?? '*' };
}

/**
 * @param {string} method
 * @param {Record<string, unknown>} body
 * @param {string} [etag]
 */
function json(method, body, etag) {
  const headers = { 'Content-Type': 'application/json', ...(etag ? { 'If-Match': etag } : {}) };
  return { method, headers, body: JSON.stringify(body) };
}
