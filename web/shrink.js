// Photos are reduced to the size that the model needs, before the page sends them.

import { readModel } from './api.js';

const QUALITY = 0.92;
/** Bytes: smaller photos are sent as they are. */
const MIN_BYTES = 400_000;
const [SOI, EOI, SOS, APP1] = [0xd8, 0xd9, 0xda, 0xe1];
const ORIENTATION = 0x0112;

/** Pixels of a 360° panorama's width that its views need. */
const PANORAMA_SIDE = 3500;

/** @type {Promise<number> | null} pixels of the longer side that the model needs */
let modelSide = null;

/**
 * A JPEG photo with no more pixels than the model needs, and with its metadata. Other files are
 * returned as they are, and so are broken photos: the server says what is wrong with them.
 * @param {File} photo
 * @returns {Promise<File>}
 */
export async function shrinkPhoto(photo) {
  if (photo.size < MIN_BYTES) return photo;
  try {
    const metadata = metadataOf(new Uint8Array(await photo.arrayBuffer()));
    if (!metadata) return photo;
    modelSide ??= readModel().then(({ photo_side }) => photo_side);
    const side = metadata.some(isOfPanorama) ? PANORAMA_SIDE : await modelSide;
    const image = await createImageBitmap(photo, { imageOrientation: 'from-image' });
    const scale = side / Math.max(image.width, image.height);
    if (scale >= 1) return photo;
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    const context = canvas.getContext('2d');
    if (!context || !returnsPixels(context)) return photo;
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    image.close();
    const smallJpeg = await new Promise((/** @type {(blob: Blob | null) => void} */ resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
    if (!smallJpeg || smallJpeg.size >= photo.size) return photo;
    const { name, lastModified } = photo;
    return new File([smallJpeg.slice(0, 2), ...metadata, smallJpeg.slice(2)], name, { type: 'image/jpeg', lastModified });
  } catch {
    modelSide = null; // the server may answer next time
    return photo;
  }
}

/**
 * Whether a canvas returns the pixels drawn: browsers that prevent fingerprinting return noise.
 * @param {CanvasRenderingContext2D} context
 */
export function returnsPixels(context) {
  const colour = [64, 128, 192];
  context.fillStyle = `rgb(${colour})`;
  context.fillRect(0, 0, 1, 1);
  const { data } = context.getImageData(0, 0, 1, 1);
  return colour.every((value, at) => Math.abs((data[at] ?? 0) - value) < 8);
}

/**
 * The Exif and XMP blocks of a JPEG, with the orientation set to upright; null where the file is no
 * JPEG or lacks its end.
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
  // A photo without its end stays as it is: the browser would make its missing part grey.
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
 * Set the orientation of an Exif block to upright, as the canvas has turned the photo.
 * @param {Uint8Array<ArrayBuffer>} block
 */
function setUpright(block) {
  const exif = new DataView(block.buffer, 10);
  const isLittleEndian = exif.getUint16(0) === 0x4949;
  const table = exif.getUint32(4, isLittleEndian);
  for (let entry = 0; entry < exif.getUint16(table, isLittleEndian); entry++) {
    const at = table + 2 + 12 * entry;
    if (exif.getUint16(at, isLittleEndian) === ORIENTATION) exif.setUint16(at + 8, 1, isLittleEndian);
  }
}
