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
 * @property {(Position & {radius_m: number}) | null} location where the photo was probably taken
 */

/**
 * @typedef {object} Settings what a search is asked beside its photo
 * @property {number} k
 * @property {boolean} verify
 * @property {Area | null} area
 */

/** @typedef {Position & {radius_m: number}} Area a circle to search in */

/** @typedef {Pick<Result, 'place_id' | 'name' | 'position' | 'utm' | 'image_url' | 'thumbnail_url'>} Place */

/**
 * @typedef {object} Compared the answer to POST /v1/compare
 * @property {number} similarity
 * @property {number | null} probability of one place; null for a model without calibration
 * @property {number | null} threshold the probability from which on the photos count as one place
 * @property {'same' | 'different' | null} result
 * @property {number} inliers
 * @property {[number, number, number, number][]} matches pixels of the upright photos as sent
 * @property {string[]} [notes]
 */

/**
 * @typedef {object} PlaceDot one place of the map, for all of its surroundings
 * @property {{coordinates: [number, number]}} geometry longitude, latitude
 * @property {{place_id: number, name: string, count: number}} properties
 */

/**
 * @typedef {object} PlaceDots the answer to GET /v1/places?bbox=
 * @property {number} places in the box
 * @property {PlaceDot[]} features
 */

/**
 * @typedef {object} ModelInfo the answer to GET /v1/model: the model's card
 * @property {string} id
 * @property {string} title
 * @property {string} backbone
 * @property {number} clusters
 * @property {number} channels
 * @property {number} dims
 * @property {boolean} whitened
 * @property {string} licence
 * @property {string | null} fitted how the weights came to be
 */

/**
 * @typedef {object} Explained the answer to POST /v1/explain
 * @property {string} model
 * @property {{width: number, height: number}} photo
 * @property {{width: number, height: number}} seen the pixels that the network took
 * @property {{columns: number, rows: number}} grid
 * @property {number} clusters
 * @property {number} channels
 * @property {number} dims
 * @property {number[][]} assignment the nearest cluster of every cell, row by row
 * @property {number[]} cluster_norms how much each cluster adds to the descriptor, 0 to 1
 * @property {number[]} descriptor
 */

/**
 * @typedef {object} IndexInfo the answer to GET /v1/index
 * @property {string} index_id
 * @property {string} model
 * @property {number} places
 * @property {number} positions places with a position
 * @property {number} dims numbers in a descriptor
 * @property {string} created ISO 8601
 * @property {string} fingerprint
 * @property {string} precision f32 or int8
 * @property {{count: number, photos: {name: string, reason: string}[]}} skipped the first hundred photos
 */

/**
 * @typedef {object} Report one of the answers to GET /v1/reports; shares are in per cent, by N
 * @property {string} name
 * @property {string} created ISO 8601
 * @property {string} truth
 * @property {string} protocol
 * @property {string} model
 * @property {number} queries
 * @property {number} database
 * @property {Record<string, number>} recall
 * @property {Record<string, number>} chance
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
