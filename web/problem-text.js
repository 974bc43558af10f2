// The words of problems, and of the server's notes and reasons, in the reader's language.

import { element } from './dom.js';
import * as english from './problems-en.js';
import { loadWords, words } from './words.js';

/** @import { Problem } from './page-types.js' */
/** @import { ReasonReply } from './types.js' */

const { problems } = await loadWords({
  en: () => english,
  hi: () => import('./problems-hi.js'),
  'hi-Latn': () => import('./problems-hi-latn.js'),
});

/** Empty in English, the language of the server's own sentences. @type {{reasons: Record<string, string>, names: Record<string, string>}} */
const { reasons, names } = await loadWords({
  en: () => ({ reasons: {}, names: {} }),
  hi: () => import('./reasons-hi.js'),
  'hi-Latn': () => import('./reasons-hi-latn.js'),
});

/** Names by HTTP status for problems without a type, as a proxy sends them. @type {Record<number, keyof typeof problems>} */
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
  507: 'storage-full',
};

/** Problems whose reason, the server's own sentence, says what to do. */
const REMEDY_IN_REASON = ['bad-parameter', 'bad-request', 'unfit-value', 'cannot-change'];

/**
 * Whether the server's reason says what to do, and so replaces the page's own remedy.
 * @param {Problem} problem
 */
export const isReasonTheRemedy = (problem) => problem.reason !== null && REMEDY_IN_REASON.includes(nameOf(problem));

/**
 * What went wrong and what to do, in words.
 * @param {Problem} problem
 * @param {File[]} photos that were sent
 * @returns {{title: string, remedy: string}}
 */
export function describeProblem(problem, photos) {
  const empty = photos.find((photo) => photo.size === 0);
  // A smaller copy of a video would be no photo either.
  const tooLarge = nameOf(problem) === 'body-too-large';
  const { title, mend } = problems[empty ? 'empty' : tooLarge && photos.some(isOfAnotherKind) ? 'unsupported-photo' : nameOf(problem)];
  const names = photos.map(({ name }) => name);
  const values = {
    empty: empty?.name ?? '',
    names: names.length > 1 ? words.oneOf(names) : (names[0] ?? words.thePhoto),
    sent: words.size(photos.reduce((sum, photo) => sum + photo.size, 0)),
    status: `${problem.status}`,
  };
  return { title, remedy: fill(mend, values) };
}

/** Whether the browser knows a file to be no image. @param {File} file */
const isOfAnotherKind = ({ type }) => type !== '' && !type.startsWith('image/');

/**
 * An element with a sentence of the server, in the reader's language, or in English where the page
 * has no translation.
 * @param {'p' | 'span'} tag
 * @param {string} sentence
 * @param {ReasonReply | null | undefined} reason
 * @param {Record<string, string>} [attributes]
 */
export function sentenceElement(tag, sentence, reason, attributes = {}) {
  const translation = reason && reasons[reason.code];
  if (!translation) return element(tag, { ...attributes, lang: 'en' }, sentence);
  const { photo, what: subject, name } = reason.values;
  const prefix = photo ? `${words.photoNumber(Number(photo))}: ` : '';
  // The server calls an uploaded photo "the photo", as it does not know its name.
  /** @type {Record<string, string>} */
  const values = { ...reason.values };
  if (subject === 'the photo') values['what'] = words.thePhoto;
  if (name) values['name'] = names[name] ?? name.replace(/^field /, '');
  return element(tag, attributes, prefix + fill(translation, values));
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
 * Put values into the braces of a sentence.
 * @param {string} sentence
 * @param {Record<string, string>} values
 */
function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}
