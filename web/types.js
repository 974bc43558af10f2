// The shapes of the HTTP API that the page reads.

/**
 * @typedef {object} Position degrees, WGS 84
 * @property {number} latitude
 * @property {number} longitude
 */

/**
 * @typedef {object} Result one place, most similar first
 * @property {number} rank from 1
 * @property {number} place_id
 * @property {string} name
 * @property {number} similarity cosine of the two descriptors, −1 to 1
 * @property {{inliers: number, score: number} | null} verified
 * @property {Position | null} position
 * @property {{easting: number, northing: number, zone: string} | null} utm metres; the zone may be empty
 * @property {string} image_url
 * @property {string} thumbnail_url
 */

/**
 * @typedef {object} Reply the answer to POST /v1/search
 * @property {string} index_id
 * @property {string} model
 * @property {{width: number, height: number, position: Position | null, notes: string[]}} query
 * @property {Record<string, number>} timings_ms
 * @property {Result[]} results
 */

/**
 * @typedef {object} IndexInfo the answer to GET /v1/index
 * @property {string} index_id
 * @property {string} model
 * @property {number} places
 * @property {number} dims numbers in a descriptor
 * @property {{count: number, photos: {name: string, reason: string}[]}} skipped the first hundred photos
 */

/**
 * @typedef {object} Problem why there is no answer
 * @property {number} status the HTTP status; 0 when there was no answer
 * @property {string} type the server's stable name of the kind of problem, or ""
 * @property {string} detail the server's own sentence, or ""
 * @property {number} retryAfter seconds to wait, where the server said so; else 0
 * @property {boolean} alive for status 0: the server does answer, only this request broke off
 */

export {};
