// The photos last searched with, kept in this browser so that they outlast a change of page or
// language.
//
// They are deleted after an hour, or when the next page opens.

const STORE_NAME = 'photos';
const MAX_AGE_MS = 3_600_000;
const MAX_PHOTOS = 24;

/** @typedef {{id: string, at: number, photo: File}} KeptPhoto `at`: milliseconds since 1970 */

/** @type {Map<string, File>} photos of this page by id */
const pagePhotos = new Map();

/** @type {Promise<IDBDatabase> | null} */
let opening = null;

/**
 * Keep a photo, and return its id.
 * @param {File} photo
 */
export async function keepPhoto(photo) {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
  pagePhotos.set(id, photo);
  try {
    await resultOf((await openStore('readwrite')).put({ id, at: Date.now(), photo }));
  } catch {
    // Some browsers store nothing in private windows: then only this page has the photo.
  }
  void deleteOld();
  setTimeout(deleteOld, MAX_AGE_MS + 1);
  return id;
}

/** Delete photos that are too old or too many. */
async function deleteOld() {
  try {
    const store = await openStore('readwrite');
    const old = (await newestFirst(store)).filter((entry, rank) => rank >= MAX_PHOTOS || isOld(entry));
    for (const { id } of old) store.delete(id);
  } catch {
    // The browser stores nothing.
  }
}

/**
 * A kept photo, or null where the browser has deleted it.
 * @param {string} id
 * @returns {Promise<File | null>}
 */
export async function keptPhoto(id) {
  const photo = pagePhotos.get(id);
  if (photo) return photo;
  try {
    const entry = /** @type {KeptPhoto | undefined} */ (await resultOf((await openStore()).get(id)));
    if (!entry || isOld(entry)) return null;
    pagePhotos.set(id, entry.photo);
    return entry.photo;
  } catch {
    return null;
  }
}

/**
 * The photo that any of the pages kept last.
 * @returns {Promise<KeptPhoto | null>}
 */
export async function latestPhoto() {
  try {
    const [last] = await newestFirst(await openStore());
    return last && !isOld(last) ? last : null;
  } catch {
    return null;
  }
}

/** @param {KeptPhoto} entry */
const isOld = ({ at }) => Date.now() - at > MAX_AGE_MS;

/** @param {IDBObjectStore} store */
async function newestFirst(store) {
  const all = /** @type {KeptPhoto[]} */ (await resultOf(store.getAll()));
  return all.sort((a, b) => b.at - a.at);
}

/** @param {IDBTransactionMode} mode */
async function openStore(mode = 'readonly') {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('place-search', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE_NAME, { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return (await opening).transaction(STORE_NAME, mode).objectStore(STORE_NAME);
}

/**
 * @param {IDBRequest} request
 * @returns {Promise<unknown>}
 */
function resultOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

void deleteOld();
