// The frames of a track, one after the other, from photos, a video, or the camera.

import { element } from './dom.js';
import { returnsPixels, shrinkPhoto } from './shrink.js';
import { trackWords } from './track-words.js';

const FRAME_INTERVAL_S = 1;
/** Pixels of a frame's longer side: more than models take. */
const MAX_SIDE = 1024;
const QUALITY = 0.92;
/** The wait for one frame after which the video counts as unreadable. */
const FRAME_TIMEOUT_MS = 20_000;
const VIDEO = /\.(mp4|[mf]4v|mov|mkv|webm|avi|mpe?g|vob|(m2?)?ts|3g[p2]|wmv|asf|flv|ogv|mxf)$/i;

/** The source gives no frames; the message says why, and what to do. */
export class FramesError extends Error {}

/** @param {File} file */
export const isVideo = ({ type, name }) => type.startsWith('video/') || (!type && VIDEO.test(name));

/**
 * A file's name as a word of a POSIX shell.
 * @param {string} name
 */
const shellQuoted = (name) => (/[^\w.-]/.test(name) ? `'${name.replaceAll("'", "'\\''")}'` : name);

/**
 * Photos in the order of their names, as a camera numbers them.
 * @param {File[]} photos
 * @returns {AsyncGenerator<File, void>}
 */
export async function* photoFrames(photos) {
  const order = new Intl.Collator('en', { numeric: true });
  for (const photo of [...photos].sort((a, b) => order.compare(a.name, b.name))) yield shrinkPhoto(photo);
}

/**
 * The frames of a video, one a second.
 * @param {File} file
 * @returns {AsyncGenerator<File, void>}
 */
export async function* videoFrames(file) {
  const video = element('video', { playsinline: true, preload: 'auto' });
  video.muted = true;
  try {
    const loaded = eventOf(video, 'loadedmetadata');
    video.src = URL.createObjectURL(file);
    await loaded;
    for (let seconds = 0; !seconds || seconds < video.duration; seconds += FRAME_INTERVAL_S) {
      const seeked = eventOf(video, 'seeked');
      video.currentTime = seconds;
      await seeked;
      // A recording of unknown duration stays at its last frame.
      if (video.currentTime < seconds - FRAME_INTERVAL_S / 2) return;
      yield await pictureOf(video, `${file.name}-${`${seconds}`.padStart(5, '0')}.jpg`);
    }
  } catch {
    throw new FramesError(trackWords.videoUnread(file.name, shellQuoted(file.name)));
  } finally {
    URL.revokeObjectURL(video.src);
    video.removeAttribute('src');
    video.load();
  }
}

/**
 * The frames of the camera, one a second, or fewer where the server needs longer.
 * @param {HTMLVideoElement} video the element that shows the camera
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<File, void>}
 */
export async function* cameraFrames(video, signal) {
  for (let frame = 0; !signal.aborted; frame++) {
    const dueAt = performance.now() + FRAME_INTERVAL_S * 1000;
    yield await pictureOf(video, `camera-${`${frame}`.padStart(5, '0')}.jpg`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueAt - performance.now())));
  }
}

/**
 * Show the camera in an element.
 * @param {HTMLVideoElement} video
 * @returns {Promise<MediaStream>}
 */
export async function openCamera(video) {
  // Browsers give no camera to pages that come over plain http from another machine.
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
 * The picture that a video shows now, as a JPEG file.
 * @param {HTMLVideoElement} video
 * @param {string} name of the file
 */
async function pictureOf(video, name) {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, MAX_SIDE / Math.max(videoWidth, videoHeight));
  const canvas = element('canvas', { width: Math.round(videoWidth * scale), height: Math.round(videoHeight * scale) });
  const context = canvas.getContext('2d');
  if (!context || !videoWidth || !returnsPixels(context)) throw new FramesError(trackWords.noFrames);
  context.imageSmoothingQuality = 'high';
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const jpeg = await new Promise((/** @type {(blob: Blob | null) => void} */ resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
  if (!jpeg) throw new FramesError(trackWords.noFrames);
  return new File([jpeg], name, { type: 'image/jpeg' });
}

/**
 * Wait for an event of a video; rejects on an error, or after `FRAME_TIMEOUT_MS`.
 * @param {HTMLVideoElement} video
 * @param {string} event
 * @returns {Promise<void>}
 */
function eventOf(video, event) {
  return new Promise((resolve, reject) => {
    video.addEventListener(event, () => resolve(), { once: true });
    video.addEventListener('error', () => reject(video.error), { once: true });
    setTimeout(reject, FRAME_TIMEOUT_MS);
  });
}
