// The track page: it sends frames one after the other, and shows the path of the camera.

import { ApiError, addFrame, closeTrack, openTrack } from './api.js';
import { announce, find } from './dom.js';
import { describeProblem } from './problem-text.js';
import { FramesError, cameraFrames, isVideo, openCamera, photoFrames, videoFrames } from './frames.js';
import { watchFiles } from './photo-input.js';
import { hideProblem, showProblem } from './problem.js';
import { sendWithRetries } from './retry.js';
import { currentIndex, serverReady } from './server.js';
import { addToStrip, clearStrip, locatedLine, longestLine, watchSelection } from './strip.js';
import { trackWords } from './track-words.js';

/** @import { Problem } from './page-types.js' */
/** @import { LocatedFrameReply } from './types.js' */

/** Milliseconds between two announcements of places; a change of `known` is announced at once. */
const ANNOUNCE_EVERY_MS = 5000;
/** HTTP statuses of problems with a single frame: the page leaves the frame out and goes on. */
const FRAME_STATUSES = [413, 415, 422];

const track = find('track', HTMLDivElement);
const currentPlace = find('now', HTMLParagraphElement);
const note = find('intake-note', HTMLParagraphElement);
const camera = find('camera', HTMLButtonElement);
const liveCamera = find('live-camera', HTMLVideoElement);
const choose = find('choose', HTMLSpanElement);
const stopButton = find('stop', HTMLButtonElement);
const restartButton = find('restart', HTMLButtonElement);
const mapBox = find('map', HTMLDivElement);
const hasPositions = serverReady().then(() => Boolean(currentIndex()?.positions));

/** @type {string | null} */
let trackId = null;
/** @type {{frames: AsyncGenerator<File, void>, ofPhotos: boolean}[]} */
let sources = [];
/** The source of the last frame. @type {{ofPhotos: boolean} | null} */
let lastSource = null;
/** The frame that the server has not answered yet. @type {File | null} */
let pending = null;
let abortController = new AbortController();
/** Aborts the waiting before a retry: the frame is then sent again at once, or never. */
let retryWait = new AbortController();
let sending = false;
let locatedCount = 0;
/** @type {string[]} why frames were left out, a sentence each */
let leftOutReasons = [];
/** Shows the problem of the last frame that was left out. */
let showLastProblem = () => {};
/** @type {{known: boolean, place: string | null, at: number} | null} */
let lastAnnounced = null;
/** The module of the map; null where no place has a position. @type {Promise<typeof import('./track-map.js') | null> | null} */
let map = null;

currentPlace.dataset['longest'] = trackWords.trackNow(longestLine);

/** @param {File[]} files */
function addFiles(files) {
  const videos = files.filter(isVideo);
  const photos = files.filter((file) => !isVideo(file));
  if (photos.length) sources.push({ frames: photoFrames(photos), ofPhotos: true });
  sources.push(...videos.map((video) => ({ frames: videoFrames(video), ofPhotos: false })));
  void sendFrames();
}

async function useCamera() {
  const { signal } = abortController;
  camera.disabled = true;
  try {
    const stream = await openCamera(liveCamera);
    if (signal.aborted) {
      for (const mediaTrack of stream.getTracks()) mediaTrack.stop();
      return;
    }
    stream.getVideoTracks()[0]?.addEventListener('ended', stop);
    liveCamera.hidden = false;
    sources.push({ frames: cameraFrames(liveCamera, signal), ofPhotos: false });
    void sendFrames();
  } catch (error) {
    if (!(error instanceof FramesError)) throw error;
    camera.disabled = false;
    note.textContent = error.message;
  }
}

async function sendFrames() {
  if (sending) return;
  sending = true;
  const { signal } = abortController;
  note.textContent = '';
  showTrack();
  for (let frame = await nextFrame(signal); frame; frame = await nextFrame(signal)) {
    const photo = frame;
    const ownWait = (retryWait = new AbortController());
    const onRetry = () => {
      ownWait.abort();
      void sendFrames();
    };
    const result = await sendWithRetries(() => locate(photo, signal), { photos: [photo], signal: ownWait.signal, onProblem: () => {}, onRetry });
    if (signal.aborted) return;
    if (ownWait.signal.aborted) continue;
    if (!result) {
      // The page shows the problem; its button, or another photo, sends this frame again.
      sending = false;
      return;
    }
    pending = null;
    if ('frame' in result) showLocated(result.frame, photo);
    else leaveOut(result.problem, photo);
  }
  if (!signal.aborted) end();
}

/**
 * The next frame of the oldest source, or null.
 * @param {AbortSignal} signal
 */
async function nextFrame(signal) {
  while (!pending && sources[0] && !signal.aborted) {
    const source = sources[0];
    try {
      const { value } = await source.frames.next();
      if (signal.aborted) return null;
      pending = value ?? null;
      if (pending && source !== lastSource) beginWay(source);
    } catch (error) {
      if (!(error instanceof FramesError)) throw error;
      if (signal.aborted) return null;
      leftOutReasons.push(error.message);
      note.textContent = error.message;
    }
    if (!pending) sources.shift();
  }
  return pending;
}

/**
 * Let a video or the camera begin a track of its own, as it may begin anywhere.
 * @param {{ofPhotos: boolean}} source
 */
function beginWay(source) {
  if (trackId && !(source.ofPhotos && lastSource?.ofPhotos)) {
    closeTrack(trackId);
    trackId = null;
    void map?.then((mapModule) => mapModule?.endLine());
  }
  lastSource = source;
}

/**
 * @param {File} frame
 * @param {AbortSignal} signal
 * @returns {Promise<{frame: LocatedFrameReply} | {problem: Problem}>}
 */
async function locate(frame, signal) {
  try {
    trackId ??= (await openTrack(signal)).track_id;
    return await addFrame(trackId, frame, { signal });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { problem } = error;
    if (FRAME_STATUSES.includes(problem.status) || !frame.size) return { problem };
    if (!problem.type.endsWith('unknown-track')) throw error;
    // The server has closed the track after a long pause, or was started again.
    note.textContent = trackWords.trackForgotten;
    trackId = (await openTrack(signal)).track_id;
    return await addFrame(trackId, frame, { signal });
  }
}

/**
 * @param {LocatedFrameReply} frame
 * @param {File} photo
 */
function showLocated(frame, photo) {
  locatedCount += 1;
  currentPlace.className = frame.known ? 'now' : 'now off';
  currentPlace.textContent = trackWords.trackNow(locatedLine(frame));
  addToStrip(frame, photo);
  map ??= loadMap();
  void map.then((mapModule) => mapModule?.addToPath(frame));
  const { known, place } = frame;
  const isDue = !lastAnnounced || performance.now() - lastAnnounced.at > ANNOUNCE_EVERY_MS;
  if (known !== lastAnnounced?.known || (isDue && place !== lastAnnounced.place)) {
    announce(currentPlace.textContent);
    lastAnnounced = { known, place, at: performance.now() };
  }
}

/**
 * @param {Problem} problem
 * @param {File} photo
 */
function leaveOut(problem, photo) {
  const { title, remedy } = describeProblem(problem, [photo]);
  leftOutReasons.push(`${title}: ${remedy}`);
  showLastProblem = () => showProblem(problem, [photo], () => {});
  note.textContent = trackWords.framesLeftOut(leftOutReasons.length, leftOutReasons.at(-1) ?? '');
}

function showTrack() {
  document.body.dataset['view'] = 'track';
  choose.textContent = trackWords.addFrames;
  track.hidden = false;
  stopButton.hidden = false;
  restartButton.hidden = false;
  if (!locatedCount) currentPlace.textContent = trackWords.trackWaiting;
  map ??= loadMap();
}

/** Load the map late, as it is large. Without a connection, sending the frame shows the problem. */
async function loadMap() {
  // The reader may choose frames before the server has described its index.
  if (!(await hasPositions)) return null;
  mapBox.hidden = false;
  const leaflet = import('./leaflet.js').then(({ loadLeaflet }) => loadLeaflet());
  const mapModule = await leaflet.then((L) => L && import('./track-map.js')).catch(() => null);
  if (mapModule) return mapModule;
  mapBox.hidden = true;
  return (map = null); // the next frame loads it again
}

function showStart() {
  track.hidden = true;
  restartButton.hidden = true;
  choose.textContent = trackWords.chooseFrames;
  document.body.dataset['view'] = 'choose';
}

function end() {
  sending = false;
  if (stopButton.contains(document.activeElement)) restartButton.focus();
  stopButton.hidden = true;
  closeCamera();
  if (!locatedCount) {
    showStart();
    showLastProblem();
    return;
  }
  announce(trackWords.trackEnded(locatedCount));
  note.textContent = [trackWords.trackEnded(locatedCount), leftOutReasons.length ? trackWords.framesLeftOut(leftOutReasons.length, leftOutReasons.at(-1) ?? '') : ''].join(' ').trim();
}

function stop() {
  abortController.abort();
  retryWait.abort();
  abortController = new AbortController();
  for (const { frames } of sources) void frames.return();
  sources = [];
  pending = null;
  hideProblem();
  end();
}

function restart() {
  stop();
  if (trackId) closeTrack(trackId);
  trackId = null;
  locatedCount = 0;
  leftOutReasons = [];
  showLastProblem = () => {};
  lastAnnounced = null;
  note.textContent = '';
  clearStrip();
  void map?.then((mapModule) => mapModule?.clearPath());
  showStart();
  announce(trackWords.trackClosed);
  find('files', HTMLInputElement).focus();
}

function closeCamera() {
  const stream = liveCamera.srcObject;
  if (stream instanceof MediaStream) for (const mediaTrack of stream.getTracks()) mediaTrack.stop();
  liveCamera.srcObject = null;
  liveCamera.hidden = true;
  camera.disabled = false;
}

watchSelection((frame) => void map?.then((mapModule) => mapModule?.showSelected(frame)));
watchFiles(['files'], (files, _, emptyNote = '') => {
  note.textContent = files.length ? '' : emptyNote;
  if (files.length) addFiles(files);
});
camera.addEventListener('click', useCamera);
stopButton.addEventListener('click', stop);
restartButton.addEventListener('click', restart);
// Nothing keeps the frames: the page asks before it is left, for another language too.
addEventListener('beforeunload', (event) => {
  if (locatedCount || sources.length) event.preventDefault();
});
// A track ends with its page.
addEventListener('pagehide', () => {
  if (trackId) closeTrack(trackId);
  trackId = null;
});
