// The frames of a track, one after the other: of photos, of a video, or of the camera.

import { element } from './dom.js';
import { isHonest, shrink } from './shrink.js';
import { trackWords } from './track-words.js';

const EVERY_S = 1;
/** More pixels than models look at. */
const LONGEST_SIDE = 1024;
const QUALITY = 0.92;
/** A browser that needs longer for one frame has given up. */
const PATIENCE_MS = 20_000;
const VIDEO = /\.(mp4|[mf]4v|mov|mkv|webm|avi|mpe?g|vob|(m2?)?ts|3g[p2]|wmv|asf|flv|ogv|mxf)$/i;

/** No frames can be had; the message says why, and the way out. */
export class FramesError extends Error {}

/** @param {File} file */
export const isVideo = ({ type, name }) => type.startsWith('video/') || (!type && VIDEO.test(name));

/**
 * A file's name as a word of a POSIX shell.
 * @param {string} name
 */
const quoted = (name) => (/[^\w.-]/.test(name) ? `'${name.replaceAll("'", "'\\''")}'` : name);

/**
 * Photos in the order of their names, as a camera numbers them.
 * @param {File[]} photos
 * @returns {AsyncGenerator<File, void>}
 */
export async function* photosOf(photos) {
  const order = new Intl.Collator('en', { numeric: true });
  for (const photo of [...photos].sort((a, b) => order.compare(a.name, b.name))) yield shrink(photo);
}

/**
 * One frame of a video a second.
 * @param {File} file
 * @returns {AsyncGenerator<File, void>}
 */
export async function* framesOf(file) {
  const video = element('video', { playsinline: true, preload: 'auto' });
  video.muted = true;
  try {
    const opened = reached(video, 'loadedmetadata');
    video.src = URL.createObjectURL(file);
    await opened;
    for (let seconds = 0; !seconds || seconds < video.duration; seconds += EVERY_S) {
      const seeked = reached(video, 'seeked');
      video.currentTime = seconds;
      await seeked;
      // Recordings may not say how long they are; their last frame then stays.
      if (video.currentTime < seconds - EVERY_S / 2) return;
      yield await pictureOf(video, `${file.name}-${`${seconds}`.padStart(5, '0')}.jpg`);
    }
  } catch {
    throw new FramesError(trackWords.videoUnread(file.name, quoted(file.name)));
  } finally {
    URL.revokeObjectURL(video.src);
    video.removeAttribute('src');
    video.load();
  }
}

/**
 * One frame of the camera a second, or as fast as they are answered.
 * @param {HTMLVideoElement} video that shows the camera
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<File, void>}
 */
export async function* framesFrom(video, signal) {
  for (let frame = 0; !signal.aborted; frame++) {
    const next = performance.now() + EVERY_S * 1000;
    yield await pictureOf(video, `camera-${`${frame}`.padStart(5, '0')}.jpg`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
  }
}

/**
 * Show the camera in an element.
 * @param {HTMLVideoElement} video
 * @returns {Promise<MediaStream>}
 */
export async function openCamera(video) {
  // Browsers hide the camera from pages that came over plain http from another machine.
  if (!navigator.mediaDevices) throw new FramesError(trackWords.cameraNeedsHttps);
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
    video.srcObject = stream;
    await video.play();
    return stream;
  } catch {
    throw new FramesError(trackWords.cameraRefused);
  }
}

/**
 * @param {HTMLVideoElement} video
 * @param {string} name
 */
async function pictureOf(video, name) {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
  const canvas = element('canvas', { width: Math.round(videoWidth * scale), height: Math.round(videoHeight * scale) });
  const context = canvas.getContext('2d');
  if (!context || !videoWidth || !isHonest(context)) throw new FramesError(trackWords.noFrames);
  context.imageSmoothingQuality = 'high';
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const jpeg = await new Promise((/** @type {(blob: Blob | null) => void} */ resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
  if (!jpeg) throw new FramesError(trackWords.noFrames);
  return new File([jpeg], name, { type: 'image/jpeg' });
}

/**
 * @param {HTMLVideoElement} video
 * @param {string} event
 * @returns {Promise<void>}
 */
function reached(video, event) {
  return new Promise((resolve, reject) => {
    video.addEventListener(event, () => resolve(), { once: true });
    video.addEventListener('error', () => reject(video.error), { once: true });
    setTimeout(reject, PATIENCE_MS);
  });
}
