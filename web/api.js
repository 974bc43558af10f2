// The HTTP API, as promises.

/** @import { IndexInfo, Problem, Reply } from './types.js' */

/** A request that brought no answer of use. */
export class ApiError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || `status ${problem.status}`);
    this.problem = problem;
  }
}

/**
 * Search with one photo. The returned promise rejects with ApiError, or with the signal's reason.
 * @param {File} photo
 * @param {number} k
 * @param {{signal: AbortSignal, onUpload: (share: number) => void, onUploaded: () => void}} options
 * @returns {Promise<Reply>}
 */
export function searchPlaces(photo, k, { signal, onUpload, onUploaded }) {
  return new Promise((resolve, reject) => {
    // fetch() cannot tell how much of an upload is sent.
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append('photo', photo, photo.name);

    request.open('POST', `/v1/search?k=${k}`);
    request.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable && event.total) onUpload(event.loaded / event.total);
    });
    request.upload.addEventListener('load', onUploaded);
    request.addEventListener('load', () => {
      const reply = parse(request.responseText);
      if (request.status === 200 && reply) {
        resolve(/** @type {Reply} */ (reply));
      } else {
        const wait = Number(request.getResponseHeader('Retry-After'));
        reject(new ApiError(problemOf(request.status, reply, wait)));
      }
    });
    request.addEventListener('error', async () => {
      reject(new ApiError({ ...problemOf(0, null, 0), alive: await isAlive() }));
    });
    signal.addEventListener('abort', () => {
      request.abort();
      reject(signal.reason);
    });
    request.send(form);
  });
}

/**
 * What the server searches in.
 * @returns {Promise<IndexInfo>} rejects with ApiError
 */
export async function readIndex() {
  try {
    const response = await fetch('/v1/index', { cache: 'no-store' });
    const body = parse(await response.text());
    if (response.ok && body) return /** @type {IndexInfo} */ (body);
    throw new ApiError(problemOf(response.status, body, 0));
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError(problemOf(0, null, 0));
  }
}

/**
 * Whether the server is ready to search.
 * @returns {Promise<'ready' | 'loading' | 'lost'>}
 */
export async function readiness() {
  try {
    const response = await fetch('/readyz', { cache: 'no-store' });
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
  const { type = '', detail = '' } = /** @type {Record<string, string>} */ (body ?? {});
  return { status, type, detail, retryAfter: retryAfter > 0 ? retryAfter : 0, alive: status > 0 };
}

/** @param {string} text */
function parse(text) {
  try {
    return /** @type {unknown} */ (JSON.parse(text));
  } catch {
    return null;
  }
}
