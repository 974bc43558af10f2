// The service worker, which lets the pages open without a connection; browsers allow it over https
// and on the machine of the server itself.

export async function letOpenOffline() {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register('worker.js');
    const { active } = await navigator.serviceWorker.ready;
    if (document.readyState !== 'complete') await new Promise((done) => addEventListener('load', done, { once: true }));
    const files = performance.getEntriesByType('resource').map(({ name }) => name);
    active?.postMessage([location.href, ...files]);
  } catch {
    // Not allowed here: the pages work as ever, with a connection.
  }
}
