// The track page: frames go to the server one after the other, and each answer lengthens the path.

import { ApiError, addFrame, closeTrack, openTrack } from './api.js';
import { announce, find } from './dom.js';
import { explain } from './explain.js';
import { FramesError, framesFrom, framesOf, isVideo, openCamera, photosOf } from './frames.js';
import { filesIn } from './photo-input.js';
import { hideProblem, showProblem } from './problem.js';
import { persist } from './retry.js';
import { currentIndex, serverReady } from './server.js';
import { addToStrip, clearStrip, locatedLine, onPicked } from './strip.js';
import { trackWords } from './track-words.js';

/** @import { Problem } from './page-types.js' */
/** @import { LocatedFrameReply } from './types.js' */

/** A place is said to screen readers no more often than this; that places begin or end, at once. */
const SPOKEN_EVERY_MS = 5000;
/** What is wrong with one frame and not with the next. */
const OF_ONE_FRAME = [413, 415, 422];

const track = find('track', HTMLDivElement);
const now = find('now', HTMLParagraphElement);
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
/** @type {AsyncGenerator<File, void>[]} */
let sources = [];
/** The frame that is not answered yet. @type {File | null} */
let pending = null;
let running = new AbortController();
/** Ends the wait for the server: the frame is sent again at once, or never. */
let waiting = new AbortController();
let going = false;
let located = 0;
/** @type {string[]} */
let leftOut = [];
/** Shows what was wrong with the last frame left out. */
let refused = () => {};
/** @type {{known: boolean, place: string | null, at: number} | null} */
let spoken = null;
/** Null where no place has a position. @type {Promise<typeof import('./track-map.js') | null> | null} */
let map = null;

/** @param {File[]} files */
function take(files) {
  const videos = files.filter(isVideo);
  const photos = files.filter((file) => !isVideo(file));
  if (photos.length) sources.push(photosOf(photos));
  sources.push(...videos.map(framesOf));
  void run();
}

async function useCamera() {
  const { signal } = running;
  camera.disabled = true;
  try {
    const stream = await openCamera(liveCamera);
    if (signal.aborted) {
      for (const part of stream.getTracks()) part.stop();
      return;
    }
    stream.getVideoTracks()[0]?.addEventListener('ended', stop);
    liveCamera.hidden = false;
    sources.push(framesFrom(liveCamera, signal));
    void run();
  } catch (error) {
    if (!(error instanceof FramesError)) throw error;
    camera.disabled = false;
    note.textContent = error.message;
  }
}

async function run() {
  if (going) return;
  going = true;
  const { signal } = running;
  note.textContent = '';
  showTrack();
  for (let frame = await next(signal); frame; frame = await next(signal)) {
    const photo = frame;
    const mine = (waiting = new AbortController());
    const again = () => {
      mine.abort();
      void run();
    };
    const told = await persist(() => locate(photo, signal), { photos: [photo], signal: mine.signal, onProblem: () => {}, again });
    if (signal.aborted) return;
    if (mine.signal.aborted) continue;
    if (!told) {
      // The problem is shown; its button, or another photo, goes on with this frame.
      going = false;
      return;
    }
    pending = null;
    if ('frame' in told) show(told.frame, photo);
    else leaveOut(told.problem, photo);
  }
  if (!signal.aborted) end();
}

/**
 * The next frame of whatever came in first, or null.
 * @param {AbortSignal} signal
 */
async function next(signal) {
  while (!pending && sources[0] && !signal.aborted) {
    const source = sources[0];
    try {
      const { value } = await source.next();
      if (signal.aborted) return null;
      pending = value ?? null;
    } catch (error) {
      if (!(error instanceof FramesError)) throw error;
      if (signal.aborted) return null;
      leftOut.push(error.message);
      note.textContent = error.message;
    }
    if (!pending) sources.shift();
  }
  return pending;
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
    if (OF_ONE_FRAME.includes(problem.status) || !frame.size) return { problem };
    if (!problem.type.endsWith('unknown-track')) throw error;
    // It was closed after a long rest, or the server was started again.
    note.textContent = trackWords.trackForgotten;
    trackId = (await openTrack(signal)).track_id;
    return await addFrame(trackId, frame, { signal });
  }
}

/**
 * @param {LocatedFrameReply} frame
 * @param {File} photo
 */
function show(frame, photo) {
  located += 1;
  now.className = frame.known ? 'now' : 'now off';
  now.textContent = trackWords.trackNow(locatedLine(frame));
  addToStrip(frame, photo);
  map ??= loadMap();
  void map.then((shown) => shown?.addToPath(frame));
  const { known, place } = frame;
  const rested = !spoken || performance.now() - spoken.at > SPOKEN_EVERY_MS;
  if (known !== spoken?.known || (rested && place !== spoken.place)) {
    announce(now.textContent);
    spoken = { known, place, at: performance.now() };
  }
}

/**
 * @param {Problem} problem
 * @param {File} photo
 */
function leaveOut(problem, photo) {
  const { title, mend } = explain(problem, [photo]);
  leftOut.push(`${title}: ${mend}`);
  refused = () => showProblem(problem, [photo], () => {});
  note.textContent = trackWords.framesLeftOut(leftOut.length, leftOut.at(-1) ?? '');
}

function showTrack() {
  document.body.dataset['view'] = 'track';
  choose.textContent = trackWords.addFrames;
  track.hidden = false;
  stopButton.hidden = false;
  restartButton.hidden = false;
  if (!located) now.textContent = trackWords.trackWaiting;
  map ??= loadMap();
}

/** Most pages need no map; without a connection, the page says so when it sends the frame. */
async function loadMap() {
  // Frames may be chosen before the server has told what its index holds.
  if (!(await hasPositions)) return null;
  mapBox.hidden = false;
  const leaflet = import('./leaflet.js').then(({ loadLeaflet }) => loadLeaflet());
  const shown = await leaflet.then((L) => L && import('./track-map.js')).catch(() => null);
  if (shown) return shown;
  mapBox.hidden = true;
  return (map = null); // the next frame asks again
}

function showStart() {
  track.hidden = true;
  restartButton.hidden = true;
  choose.textContent = trackWords.chooseFrames;
  document.body.dataset['view'] = 'choose';
}

function end() {
  going = false;
  if (stopButton.contains(document.activeElement)) restartButton.focus();
  stopButton.hidden = true;
  closeCamera();
  if (!located) {
    showStart();
    refused();
    return;
  }
  announce(trackWords.trackEnded(located));
  note.textContent = [trackWords.trackEnded(located), leftOut.length ? trackWords.framesLeftOut(leftOut.length, leftOut.at(-1) ?? '') : ''].join(' ').trim();
}

function stop() {
  running.abort();
  waiting.abort();
  running = new AbortController();
  for (const source of sources) void source.return();
  sources = [];
  pending = null;
  hideProblem();
  end();
}

function restart() {
  stop();
  if (trackId) closeTrack(trackId);
  trackId = null;
  located = 0;
  leftOut = [];
  refused = () => {};
  spoken = null;
  note.textContent = '';
  clearStrip();
  void map?.then((shown) => shown?.clearPath());
  showStart();
  announce(trackWords.trackClosed);
  find('files', HTMLInputElement).focus();
}

function closeCamera() {
  const stream = liveCamera.srcObject;
  if (stream instanceof MediaStream) for (const part of stream.getTracks()) part.stop();
  liveCamera.srcObject = null;
  liveCamera.hidden = true;
  camera.disabled = false;
}

onPicked((frame) => void map?.then((shown) => shown?.lookAt(frame)));
filesIn(['files'], (files, _, none = '') => {
  note.textContent = files.length ? '' : none;
  if (files.length) take(files);
});
camera.addEventListener('click', useCamera);
stopButton.addEventListener('click', stop);
restartButton.addEventListener('click', restart);
// The server forgets the track with the page.
addEventListener('pagehide', () => {
  if (trackId) closeTrack(trackId);
  trackId = null;
});
