// Photos made as small as the model needs them, before they are sent.

import { readModel } from './api.js';

const QUALITY = 0.92;
/** Below this many bytes there is nothing to gain. */
const SMALL = 400_000;
const [SOI, EOI, SOS, APP1] = [0xd8, 0xd9, 0xda, 0xe1];
const ORIENTATION = 0x0112;

/** Pixels around a 360° panorama that its views need. */
const PANORAMA_SIDE = 3500;

/** @type {Promise<number> | null} */
let asking = null;

/**
 * A JPEG with no more pixels than the model needs, and the metadata of the photo. Other files are
 * left as they are, and so is a photo that is not whole: the server says what is wrong with it.
 * @param {File} photo
 * @returns {Promise<File>}
 */
export async function shrink(photo) {
  if (photo.size < SMALL) return photo;
  try {
    const metadata = metadataOf(new Uint8Array(await photo.arrayBuffer()));
    if (!metadata) return photo;
    asking ??= readModel().then(({ photo_side }) => photo_side);
    const side = metadata.some(isOfPanorama) ? PANORAMA_SIDE : await asking;
    const image = await createImageBitmap(photo, { imageOrientation: 'from-image' });
    const scale = side / Math.max(image.width, image.height);
    if (scale >= 1) return photo;
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    const context = canvas.getContext('2d');
    if (!context || !isHonest(context)) return photo;
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    const small = await new Promise((/** @type {(blob: Blob | null) => void} */ resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
    if (!small || small.size >= photo.size) return photo;
    const { name, lastModified } = photo;
    return new File([small.slice(0, 2), ...metadata, small.slice(2)], name, { type: 'image/jpeg', lastModified });
  } catch {
    asking = null; // the server may answer next time
    return photo;
  }
}

/**
 * Whether a canvas holds what is drawn: browsers that guard against fingerprints give noise instead.
 * @param {CanvasRenderingContext2D} context
 */
export function isHonest(context) {
  const colour = [64, 128, 192];
  context.fillStyle = `rgb(${colour})`;
  context.fillRect(0, 0, 1, 1);
  const { data } = context.getImageData(0, 0, 1, 1);
  return colour.every((value, at) => Math.abs((data[at] ?? 0) - value) < 8);
}

/**
 * The Exif and XMP blocks of a JPEG, as of a photo that is stored upright; null where the file is
 * no JPEG or lacks its end.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Uint8Array<ArrayBuffer>[] | null}
 */
function metadataOf(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return null;
  const blocks = [];
  let at = 2;
  while (bytes[at] === 0xff) {
    const kind = bytes[at + 1];
    if (kind === SOS) break;
    const next = at + 2 + ((bytes[at + 2] ?? 0) << 8) + (bytes[at + 3] ?? 0);
    const text = String.fromCharCode(...bytes.subarray(at + 4, at + 33));
    if (kind === APP1 && /^Exif\0|^http:\/\/ns\.adobe\.com\/xap\/1\.0\/\0/.test(text)) blocks.push(bytes.slice(at, next));
    at = next;
  }
  // Of a photo that was cut short the browser makes one with a grey part.
  while (at < bytes.length && !(bytes[at] === 0xff && bytes[at + 1] === EOI)) at++;
  if (at >= bytes.length - 1) return null;
  for (const block of blocks) if (block[4] === 0x45) setUpright(block);
  return blocks;
}

/** @param {Uint8Array<ArrayBuffer>} block of metadata */
function isOfPanorama(block) {
  return new TextDecoder('latin1').decode(block).includes('GPano:');
}

/**
 * Say in an Exif block that the photo needs no turning: a canvas has turned it.
 * @param {Uint8Array<ArrayBuffer>} block
 */
function setUpright(block) {
  const exif = new DataView(block.buffer, 10);
  const little = exif.getUint16(0) === 0x4949;
  const table = exif.getUint32(4, little);
  for (let entry = 0; entry < exif.getUint16(table, little); entry++) {
    const at = table + 2 + 12 * entry;
    if (exif.getUint16(at, little) === ORIENTATION) exif.setUint16(at + 8, 1, little);
  }
}
