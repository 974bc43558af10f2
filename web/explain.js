// What the server says of problems, and its notes and reasons, in the language chosen.

import { element } from './dom.js';
import * as english from './problems-en.js';
import { read, words } from './words.js';

/** @import { Problem } from './page-types.js' */
/** @import { ReasonReply } from './types.js' */

const { problems } = await read({
  en: () => english,
  hi: () => import('./problems-hi.js'),
  'hi-Latn': () => import('./problems-hi-latn.js'),
});

/** English stands in the server's own sentences. @type {{reasons: Record<string, string>, names: Record<string, string>}} */
const { reasons, names } = await read({
  en: () => ({ reasons: {}, names: {} }),
  hi: () => import('./reasons-hi.js'),
  'hi-Latn': () => import('./reasons-hi-latn.js'),
});

/** Problems without a name: of a proxy before the server, or of a server that is not ours. @type {Record<number, keyof typeof problems>} */
const OF_STATUS = {
  400: 'bad-request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  408: 'slow-request',
  413: 'body-too-large',
  415: 'unsupported-photo',
  429: 'busy',
  501: 'no-vocabulary',
  503: 'not-ready',
};

/** Kinds of problems of which only the server's own sentence says what to do. */
const TOLD_BY_REASON = ['bad-parameter', 'bad-request', 'unfit-value', 'cannot-change'];

/**
 * Whether the server's reason is the mend: there are words for it in every language.
 * @param {Problem} problem
 */
export const reasonMends = (problem) => problem.reason !== null && TOLD_BY_REASON.includes(nameOf(problem));

/**
 * What went wrong and what to do, in words.
 * @param {Problem} problem
 * @param {File[]} photos that were sent
 * @returns {{title: string, mend: string}}
 */
export function explain(problem, photos) {
  const empty = photos.find((photo) => photo.size === 0);
  const { title, mend } = problems[empty ? 'empty' : nameOf(problem)];
  const [one, other] = photos;
  const values = {
    empty: empty?.name ?? '',
    names: one && other ? words.oneOf(one.name, other.name) : (one?.name ?? words.thePhoto),
    sent: words.size(photos.reduce((sum, photo) => sum + photo.size, 0)),
    status: `${problem.status}`,
  };
  return { title, mend: fill(mend, values) };
}

/**
 * An element with a sentence of the server: in the language chosen, or in English where it has no
 * words for that.
 * @param {'p' | 'span'} tag
 * @param {string} sentence
 * @param {ReasonReply | null | undefined} reason
 * @param {Record<string, string>} [attributes]
 */
export function saying(tag, sentence, reason, attributes = {}) {
  const known = reason && reasons[reason.code];
  if (!known) return element(tag, { ...attributes, lang: 'en' }, sentence);
  const { photo, what, name } = reason.values;
  const whose = photo ? `${words.photoNumber(Number(photo))}: ` : '';
  // A photo that was sent has no name on the server.
  /** @type {Record<string, string>} */
  const values = { ...reason.values };
  if (what === 'the photo') values['what'] = words.thePhoto;
  if (name) values['name'] = names[name] ?? name.replace(/^field /, '');
  return element(tag, attributes, whose + fill(known, values));
}

/**
 * @param {Problem} problem
 * @returns {keyof typeof problems}
 */
function nameOf({ status, type, alive, keyed }) {
  if (!status) return alive ? 'broke-off' : 'lost';
  if (status === 401 && keyed) return 'unknown-key';
  const name = type.slice(type.lastIndexOf('/') + 1);
  return name in problems ? /** @type {keyof typeof problems} */ (name) : (OF_STATUS[status] ?? 'unknown');
}

/**
 * @param {string} words
 * @param {Record<string, string>} values
 */
function fill(words, values) {
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}
