// The service worker: without a connection the pages that were opened before open again.
//
// It keeps the pages' own files and nothing else: never a photo, a thumbnail, or an answer of the
// server. With a connection everything comes from the server, so that no page is ever old.

const KEPT = 'place-search-pages';
const OFFLINE = 'offline';
const PAGES = ['', 'places', 'place', 'map', 'compare', 'track', 'about', 'reports', OFFLINE];
const FILE = /^(vendor\/leaflet\/)?[\w-]+\.(js|css|svg|webmanifest)$/;
/** What the page without a connection needs, from the start. */
const FIRST = [OFFLINE, 'style.css', 'preload.js', 'offline.js', 'favicon.svg'];

/** @type {any} the types of workers and of pages exclude each other */
const worker = self;
const scope = new URL('./', location.href);

worker.addEventListener('install', (/** @type {any} */ event) => {
  // A page that is left closes its track, and its browser does not wait for the worker with that.
  event.addRoutes?.({ condition: { requestMethod: 'DELETE' }, source: 'network' });
  event.waitUntil(keep(FIRST.map((path) => new URL(path, scope).href)).then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

// A page came before its worker the first time: it names the files that it is made of.
worker.addEventListener('message', (/** @type {any} */ event) => {
  if (Array.isArray(event.data)) event.waitUntil(keep(event.data));
});

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === 'GET' && isOurs(request.url)) event.respondWith(answer(request));
});

/**
 * Whether an address is one of a page's own files.
 * @param {string} address
 */
function isOurs(address) {
  const { origin, pathname } = new URL(address);
  if (origin !== scope.origin || !pathname.startsWith(scope.pathname)) return false;
  const path = pathname.slice(scope.pathname.length);
  return PAGES.includes(path) || FILE.test(path);
}

/**
 * From the server, or as it was kept where that does not answer.
 * @param {Request} request
 */
async function answer(request) {
  try {
    const response = await fetch(request);
    if (response.ok) await put(request.url, response.clone());
    return response;
  } catch (error) {
    const kept = await caches.open(KEPT);
    const found = (await kept.match(keyOf(request.url))) ?? (request.mode === 'navigate' ? await kept.match(new URL(OFFLINE, scope).href) : undefined);
    if (found) return found;
    throw error;
  }
}

/** @param {string[]} addresses */
async function keep(addresses) {
  for (const address of addresses.filter(isOurs)) {
    const response = await fetch(address, { cache: 'no-cache' }).catch(() => null);
    if (response?.ok) await put(address, response);
  }
}

/**
 * Keep an answer, unless the browser's storage is full or switched off.
 * @param {string} address
 * @param {Response} response
 */
async function put(address, response) {
  await caches.open(KEPT).then((kept) => kept.put(keyOf(address), response)).catch(() => {});
}

/**
 * A page is the same whatever is asked of it.
 * @param {string} address
 */
function keyOf(address) {
  const { origin, pathname } = new URL(address);
  return origin + pathname;
}
