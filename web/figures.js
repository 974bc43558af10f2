// Drawings of the model's steps from a photo to its descriptor.

/** @import { ExplainReply } from './types.js' */

/**
 * The colour of a cluster; clusters with neighbouring numbers differ in hue.
 * @param {number} cluster
 */
export function clusterColour(cluster) {
  return `hsl(${Math.round(cluster * 137.5) % 360} ${cluster % 2 ? 75 : 55}% ${[42, 56, 68][cluster % 3]}%)`;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} photo
 * @param {{width: number, height: number}} size
 */
export function drawPhoto(canvas, photo, { width, height }) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.drawImage(photo, 0, 0, width, height);
}

/**
 * The photo at each halving of its size, down to the grid of the model. The first and the last text
 * also count the numbers of a pixel and of a cell.
 * @param {HTMLImageElement} photo
 * @param {ExplainReply} explained
 * @returns {{canvas: HTMLCanvasElement, text: string}[]}
 */
export function halvings(photo, { seen: { width, height }, grid: { columns, rows }, channels }) {
  const times = Math.round(Math.log2(width / columns));
  return Array.from({ length: times + 1 }, (_, halved) => {
    const last = halved === times;
    const size = last ? { width: columns, height: rows } : { width: width >> halved, height: height >> halved };
    const numbers = last ? ` × ${channels}` : halved ? '' : ' × 3';
    const canvas = document.createElement('canvas');
    canvas.setAttribute('aria-hidden', 'true');
    drawPhoto(canvas, photo, size);
    return { canvas, text: `${size.width} × ${size.height}${numbers}` };
  });
}

/**
 * Draw the photo in grey below its cells in the colours of their clusters.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} photo
 * @param {ExplainReply} explained
 * @param {number | null} only the cluster to colour, null for all
 */
export function drawCells(canvas, photo, { seen, grid, assignment }, only) {
  canvas.width = seen.width;
  canvas.height = seen.height;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.filter = 'grayscale(1)';
  context.drawImage(photo, 0, 0, seen.width, seen.height);
  context.filter = 'none';
  const [wide, high] = [seen.width / grid.columns, seen.height / grid.rows];
  for (const [row, clusters] of assignment.entries()) {
    for (const [column, cluster] of clusters.entries()) {
      const chosen = only === null || cluster === only;
      context.globalAlpha = chosen ? (only === null ? 0.62 : 0.75) : 0.55;
      context.fillStyle = chosen ? clusterColour(cluster) : '#fff';
      context.fillRect(column * wide, row * high, wide - 0.5, high - 0.5);
    }
  }
}

/**
 * Draw the descriptor: one row for each cluster, one column for each channel.
 * @param {HTMLCanvasElement} canvas
 * @param {ExplainReply} explained
 * @returns {boolean} false where the descriptor has no rows for clusters
 */
export function drawDescriptor(canvas, { clusters, channels, sums }) {
  canvas.width = channels;
  canvas.height = clusters;
  const context = canvas.getContext('2d');
  const picture = context?.createImageData(channels, clusters);
  if (!context || !picture) return false;
  // Colours relative to the largest number would leave most numbers pale.
  const fullStrength = 2.5 / Math.sqrt(clusters * channels);
  sums.flat().forEach((value, at) => {
    const strength = Math.min(1, Math.abs(value) / fullStrength);
    const [red, green, blue] = value > 0 ? [15, 106, 91] : [178, 60, 40];
    picture.data.set([red, green, blue, 255 * strength], at * 4);
  });
  context.putImageData(picture, 0, 0);
  return true;
}
