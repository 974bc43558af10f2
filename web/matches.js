// Matched points of two photos, as lines from one to the other.

/** @import { CompareReply } from './types.js' */

/** Of many lines, one in so many pixels of the pair's width is drawn, evenly spread. */
const PX_A_LINE = 6;

/**
 * Draw lines over a pair of photos, and again whenever their place or size changes.
 * @param {HTMLElement} pair positioned; holds both photos
 * @returns {{show: (one: HTMLImageElement, other: HTMLImageElement, matches: CompareReply['matches']) => void, clear: () => void}}
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
    show(one, other, matches) {
      shown = [one, other, matches];
      draw();
      for (const image of [one, other]) image.addEventListener('load', draw, { once: true });
    },
    clear() {
      shown = null;
      draw();
    },
  };
}

/**
 * @param {HTMLCanvasElement} canvas
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
  const [one, other, matches] = shown;
  const from = placed(one);
  const to = placed(other);
  if (!from || !to) return;
  context.scale(scale, scale);
  context.translate(-left, -top);
  // Hundreds of lines would hide the photos.
  const many = Math.min(1, 40 / matches.length);
  const every = Math.max(1, Math.ceil((matches.length * PX_A_LINE) / width));
  for (const [number, [x1 = 0, y1 = 0, x2 = 0, y2 = 0]] of matches.entries()) {
    // The colour runs across the first photo, so that neighbouring lines can be told apart.
    context.strokeStyle = context.fillStyle = `hsl(${Math.round(360 * (x1 / one.naturalWidth))} 95% 60%)`;
    const start = from(x1, y1);
    const end = to(x2, y2);
    context.globalAlpha = Math.max(0.35, 0.75 * many);
    context.lineWidth = 1 + many / 4;
    if (number % every === 0) {
      context.beginPath();
      context.moveTo(...start);
      context.lineTo(...end);
      context.stroke();
    }
    context.globalAlpha = Math.max(0.6, many);
    for (const [x, y] of [start, end]) {
      context.beginPath();
      context.arc(x, y, 1.5 + many, 0, 7);
      context.fill();
    }
  }
}

/**
 * Where the pixels of a photo are in the window; null before it is loaded. The photo is contained
 * in its box (`object-fit: contain`).
 * @param {HTMLImageElement} image
 * @returns {((x: number, y: number) => [number, number]) | null}
 */
function placed(image) {
  const { naturalWidth, naturalHeight } = image;
  if (!naturalWidth) return null;
  const { left, top, width, height } = image.getBoundingClientRect();
  const scale = Math.min(width / naturalWidth, height / naturalHeight);
  const x0 = left + (width - naturalWidth * scale) / 2;
  const y0 = top + (height - naturalHeight * scale) / 2;
  return (x, y) => [x0 + x * scale, y0 + y * scale];
}
