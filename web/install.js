// The service worker, by which the pages open without a connection. Browsers allow it over https,
// and over http on the server's own machine.

export async function installWorker() {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register('worker.js');
    const { active } = await navigator.serviceWorker.ready;
    if (document.readyState !== 'complete') await new Promise((resolve) => addEventListener('load', resolve, { once: true }));
    const files = performance.getEntriesByType('resource').map(({ name }) => name);
    active?.postMessage([location.href, ...files]);
  } catch {
    // The browser does not allow it: the pages then need a connection.
  }
}
