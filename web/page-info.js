// The settings of the server that its pages need, from page.json.

/**
 * @typedef {object} PageInfo
 * @property {{url: string, attribution: string, bounds?: [[number, number], [number, number]],
 *   min_zoom?: number, max_zoom?: number} | null} tiles of the maps' ground
 * @property {boolean} reports whether the server shows reports
 * @property {{queries: string[], pairs: [string, string][]}} [samples] photos to try
 */

const RETRY_MS = 1000;

/** Read once a page. */
export const pageInfo = readPageInfo();

/** @returns {Promise<PageInfo>} */
async function readPageInfo() {
  for (;;) {
    try {
      const answer = await fetch('page.json');
      if (answer.ok) return await answer.json();
    } catch {
      // The server does not answer: the page's other requests report that.
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
