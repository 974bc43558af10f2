// What the pages know beside the server's replies (types.js).

/** @import { LocationReply, ReasonReply } from './types.js' */

/** @typedef {LocationReply} Area a circle to search in */
/** @typedef {[number, number, number, number]} Part of the photo: left, top, width, height in its pixels */

/**
 * @typedef {object} Settings what a search is asked beside its photo
 * @property {number} k
 * @property {boolean} verify
 * @property {Area | null} area
 * @property {Part | null} box
 * @property {Record<string, string>} only filters by name: folder, tag, taken_from, taken_to
 */

/**
 * @typedef {object} Problem why there is no answer
 * @property {number} status the HTTP status; 0 when there was no answer
 * @property {string} type the server's stable name of the kind of problem, or ""
 * @property {string} detail the server's own sentence, or ""
 * @property {ReasonReply | null} reason what that says, where it has a code
 * @property {number} retryAfter seconds to wait, where the server said so; else 0
 * @property {boolean} alive for status 0: the server does answer, only this request broke off
 * @property {boolean} keyed a key was shown
 */

export {};
