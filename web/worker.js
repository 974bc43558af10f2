// The service worker: without a connection, pages that were opened before open again.
//
// It stores the pages' own files and nothing else: no photo, no thumbnail and no answer of the API.
// With a connection everything comes from the server, so that no page is outdated.

const CACHE = 'place-search-pages';
const OFFLINE = 'offline';
const PAGES = ['', 'places', 'place', 'map', 'compare', 'track', 'about', 'reports', OFFLINE];
const FILE = /^(vendor\/leaflet\/)?[\w-]+\.(js|css|svg|webmanifest)$/;
/** The files of the page that is shown without a connection. */
const OFFLINE_FILES = [OFFLINE, 'style.css', 'preload.js', 'offline.js', 'favicon.svg'];

/** @type {any} TypeScript's types of workers and of pages exclude each other */
const worker = self;
const scope = new URL('./', location.href);

worker.addEventListener('install', (/** @type {any} */ event) => {
  // A page that the reader leaves closes its track by DELETE, and cannot wait for the worker.
  event.addRoutes?.({ condition: { requestMethod: 'DELETE' }, source: 'network' });
  event.waitUntil(storeFiles(OFFLINE_FILES.map((path) => new URL(path, scope).href)).then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

// The first page is loaded before its worker runs, so it posts the addresses of its files.
worker.addEventListener('message', (/** @type {any} */ event) => {
  if (Array.isArray(event.data)) event.waitUntil(storeFiles(event.data));
});

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === 'GET' && isPageFile(request.url)) event.respondWith(answer(request));
});

/**
 * Whether an address is that of a page or of a file of the pages.
 * @param {string} address
 */
function isPageFile(address) {
  const { origin, pathname } = new URL(address);
  if (origin !== scope.origin || !pathname.startsWith(scope.pathname)) return false;
  const path = pathname.slice(scope.pathname.length);
  return PAGES.includes(path) || FILE.test(path);
}

/**
 * The server's response, or the stored one where the server does not answer.
 * @param {Request} request
 */
async function answer(request) {
  try {
    const response = await fetch(request);
    if (response.ok) await storeResponse(request.url, response.clone());
    return response;
  } catch (error) {
    const cache = await caches.open(CACHE);
    const stored = (await cache.match(keyOf(request.url))) ?? (request.mode === 'navigate' ? await cache.match(new URL(OFFLINE, scope).href) : undefined);
    if (stored) return stored;
    throw error;
  }
}

/** @param {string[]} addresses */
async function storeFiles(addresses) {
  for (const address of addresses.filter(isPageFile)) {
    const response = await fetch(address, { cache: 'no-cache' }).catch(() => null);
    if (response?.ok) await storeResponse(address, response);
  }
}

/**
 * Store a response, unless the browser's storage is full or switched off.
 * @param {string} address
 * @param {Response} response
 */
async function storeResponse(address, response) {
  await caches.open(CACHE).then((cache) => cache.put(keyOf(address), response)).catch(() => {});
}

/**
 * The address without its query, on which no page depends.
 * @param {string} address
 */
function keyOf(address) {
  const { origin, pathname } = new URL(address);
  return origin + pathname;
}
