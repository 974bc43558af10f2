// The matched points of two photos, drawn as lines between the photos.

/** @import { CompareReply } from './types.js' */

/** Pixels of the pair's width for each line: of more lines, every n-th is drawn. */
const PX_PER_LINE = 6;

/**
 * A canvas for lines over a pair of photos, drawn again whenever the size of the pair changes.
 * @param {HTMLElement} pair the positioned element that contains both photos
 * @returns {{show: (image1: HTMLImageElement, image2: HTMLImageElement, matches: CompareReply['matches']) => void, clear: () => void}}
 */
export function matchLines(pair) {
  const canvas = document.createElement('canvas');
  canvas.className = 'lines';
  canvas.setAttribute('aria-hidden', 'true');
  pair.append(canvas);
  /** @type {[HTMLImageElement, HTMLImageElement, CompareReply['matches']] | null} */
  let shown = null;
  const draw = () => drawLines(canvas, pair, shown);
  new ResizeObserver(draw).observe(pair);
  return {
    show(image1, image2, matches) {
      shown = [image1, image2, matches];
      draw();
      for (const image of [image1, image2]) image.addEventListener('load', draw, { once: true });
    },
    clear() {
      shown = null;
      draw();
    },
  };
}

/**
 * @param {HTMLCanvasElement} canvas over the pair
 * @param {HTMLElement} pair
 * @param {[HTMLImageElement, HTMLImageElement, CompareReply['matches']] | null} shown
 */
function drawLines(canvas, pair, shown) {
  const { width, height, left, top } = pair.getBoundingClientRect();
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  if (!context || !shown) return;
  const [image1, image2, matches] = shown;
  const windowPoint1 = pixelToWindow(image1);
  const windowPoint2 = pixelToWindow(image2);
  if (!windowPoint1 || !windowPoint2) return;
  context.scale(scale, scale);
  context.translate(-left, -top);
  // Many lines are drawn fainter and thinner, so that the photos stay visible.
  const weight = Math.min(1, 40 / matches.length);
  const every = Math.max(1, Math.ceil((matches.length * PX_PER_LINE) / width));
  for (const [number, [x1 = 0, y1 = 0, x2 = 0, y2 = 0]] of matches.entries()) {
    // The hue depends on the point's column in the first photo, so that neighbouring lines differ.
    context.strokeStyle = context.fillStyle = `hsl(${Math.round(360 * (x1 / image1.naturalWidth))} 95% 60%)`;
    const start = windowPoint1(x1, y1);
    const end = windowPoint2(x2, y2);
    context.globalAlpha = Math.max(0.35, 0.75 * weight);
    context.lineWidth = 1 + weight / 4;
    if (number % every === 0) {
      context.beginPath();
      context.moveTo(...start);
      context.lineTo(...end);
      context.stroke();
    }
    context.globalAlpha = Math.max(0.6, weight);
    for (const [x, y] of [start, end]) {
      context.beginPath();
      context.arc(x, y, 1.5 + weight, 0, 7);
      context.fill();
    }
  }
}

/**
 * The function from a photo's pixel to its point in the window; null before the photo is loaded.
 * The photo fits into its box (`object-fit: contain`).
 * @param {HTMLImageElement} image
 * @returns {((x: number, y: number) => [number, number]) | null}
 */
function pixelToWindow(image) {
  const { naturalWidth, naturalHeight } = image;
  if (!naturalWidth) return null;
  const { left, top, width, height } = image.getBoundingClientRect();
  const scale = Math.min(width / naturalWidth, height / naturalHeight);
  const x0 = left + (width - naturalWidth * scale) / 2;
  const y0 = top + (height - naturalHeight * scale) / 2;
  return (x, y) => [x0 + x * scale, y0 + y * scale];
}
