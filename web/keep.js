// The photos at hand, kept in this browser so that they outlast a change of page or language.
//
// They are deleted after an hour. Where no page is open then that could do it, the next one does.

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
    await done((await photos('readwrite')).put({ id, at: Date.now(), photo }));
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
    const store = await photos('readwrite');
    const old = (await newestFirst(store)).filter((one, rank) => rank >= MOST || isOld(one));
    for (const { id } of old) store.delete(id);
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
    const found = /** @type {Kept | undefined} */ (await done((await photos()).get(id)));
    if (!found || isOld(found)) return null;
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
    const [last] = await newestFirst(await photos());
    return last && !isOld(last) ? last : null;
  } catch {
    return null;
  }
}

/** @param {Kept} one */
const isOld = ({ at }) => Date.now() - at > LONGEST_MS;

/** @param {IDBObjectStore} store */
async function newestFirst(store) {
  const all = /** @type {Kept[]} */ (await done(store.getAll()));
  return all.sort((a, b) => b.at - a.at);
}

/** @param {IDBTransactionMode} mode */
async function photos(mode = 'readonly') {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('place-search', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return (await opening).transaction(STORE, mode).objectStore(STORE);
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
