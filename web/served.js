// What only the server knows: the ground of its maps, whether it shows reports, photos to try.

/**
 * @typedef {object} Served
 * @property {{url: string, attribution: string, bounds?: [[number, number], [number, number]],
 *   min_zoom?: number, max_zoom?: number} | null} tiles
 * @property {boolean} reports
 * @property {{queries: string[], pairs: [string, string][]}} [samples] photos to try
 */

const AGAIN_MS = 1000;

/** Asked until the server has said it, once a page. */
export const served = ask();

/** @returns {Promise<Served>} */
async function ask() {
  for (;;) {
    try {
      const answer = await fetch('page.json');
      if (answer.ok) return await answer.json();
    } catch {
      // The server is not there; the page says so by what it asks for itself.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
