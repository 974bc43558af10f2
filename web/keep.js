// The photos at hand, kept in this browser so that they outlast a change of page or language: for an
// hour, or until one of the pages that use them opens after that.

const STORE = 'photos';
const LONGEST_MS = 3_600_000;
const MOST = 24;

/** @typedef {{id: string, at: number, photo: File}} Kept */

/** @type {Map<string, File>} */
const held = new Map();

/** @type {Promise<IDBDatabase> | null} */
let opening = null;

/**
 * Keep a photo; the id finds it again.
 * @param {File} photo
 */
export async function keep(photo) {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
  held.set(id, photo);
  try {
    const photos = (await open()).transaction(STORE, 'readwrite').objectStore(STORE);
    await done(photos.put({ id, at: Date.now(), photo }));
  } catch {
    // Some browsers keep nothing in private windows: then only this page knows the photo.
  }
  void forgetOld();
  setTimeout(forgetOld, LONGEST_MS + 1);
  return id;
}

/** Delete what is kept too long, or is too much. */
async function forgetOld() {
  try {
    const photos = (await open()).transaction(STORE, 'readwrite').objectStore(STORE);
    const all = /** @type {Kept[]} */ (await done(photos.getAll()));
    const old = all
      .sort((a, b) => b.at - a.at)
      .filter(({ at }, rank) => rank >= MOST || Date.now() - at > LONGEST_MS);
    for (const { id } of old) photos.delete(id);
  } catch {
    // Nothing is kept.
  }
}

/**
 * A photo kept before, or null when it is gone.
 * @param {string} id
 * @returns {Promise<File | null>}
 */
export async function kept(id) {
  const photo = held.get(id);
  if (photo) return photo;
  try {
    const photos = (await open()).transaction(STORE).objectStore(STORE);
    const found = /** @type {Kept | undefined} */ (await done(photos.get(id)));
    if (!found || Date.now() - found.at > LONGEST_MS) return null;
    held.set(id, found.photo);
    return found.photo;
  } catch {
    return null;
  }
}

/**
 * The photo kept last, whichever page it was for.
 * @returns {Promise<Kept | null>}
 */
export async function latest() {
  try {
    const photos = (await open()).transaction(STORE).objectStore(STORE);
    const all = /** @type {Kept[]} */ (await done(photos.getAll()));
    const [last] = all.filter(({ at }) => Date.now() - at <= LONGEST_MS).sort((a, b) => b.at - a.at);
    return last ?? null;
  } catch {
    return null;
  }
}

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('place-search', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/**
 * @param {IDBRequest} request
 * @returns {Promise<unknown>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

void forgetOld();
