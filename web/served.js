// What only the server knows: the ground of its maps, whether it shows reports, photos to try.

/**
 * @typedef {object} Served
 * @property {{url: string, attribution: string, bounds?: [[number, number], [number, number]],
 *   min_zoom?: number, max_zoom?: number} | null} tiles
 * @property {boolean} reports
 * @property {{queries: string[], pairs: [string, string][]}} [samples] photos to try
 */

/** Asked once a page. */
export const served = ask();

/** @returns {Promise<Served>} */
async function ask() {
  try {
    const answer = await fetch('page.json');
    if (answer.ok) return await answer.json();
  } catch {
    // The server is not there; the page says so by what it asks for itself.
  }
  return { tiles: null, reports: false };
}
