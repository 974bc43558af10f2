// Types of the pages' own objects; types.js has those of the server's replies.

/** @import { LocationReply, ReasonReply } from './types.js' */

/** @typedef {LocationReply} Area a circle to search in */
/** @typedef {[number, number, number, number]} Part of the photo: left, top, width, height in its pixels */

/**
 * @typedef {object} Settings the parameters of a search beside its photo
 * @property {number} k the number of results
 * @property {boolean} verify whether matching points are counted
 * @property {Area | null} area
 * @property {Part | null} box
 * @property {Record<string, string>} only filters by name: folder, tag, taken_from, taken_to
 */

/**
 * @typedef {object} Problem why a request has failed
 * @property {number} status the HTTP status; 0 when there was no answer
 * @property {string} type the server's stable name of the kind of problem, or ""
 * @property {string} detail the server's own sentence, or ""
 * @property {ReasonReply | null} reason code and values of that sentence, if it has a code
 * @property {number} retryAfter seconds of the server's Retry-After, else 0
 * @property {boolean} alive whether the server answers, though this request may have failed
 * @property {boolean} keyed whether the request sent a key
 */

export {};
