// The compare page: whether two photos show the same place.

import { comparePhotos } from './api.js';
import { announce, find, imageOr } from './dom.js';
import { matchLines } from './matches.js';
import { pageInfo } from './page-info.js';
import { watchPhotos } from './photo-input.js';
import { keepPhoto, keptPhoto } from './photo-store.js';
import { sendWithRetries } from './retry.js';
import { hideProblem } from './problem.js';
import { serverReady } from './server.js';
import { linesSwitch, verdict, verdictLine } from './verdict.js';
import { words } from './words.js';

/** @import { CompareReply } from './types.js' */

const pairBox = find('couple', HTMLDivElement);
const outcome = find('outcome', HTMLDivElement);
const answerSection = find('answer', HTMLElement);
const working = find('working', HTMLParagraphElement);
const slots = [...pairBox.querySelectorAll('.slot')].map((slot) => ({
  frame: /** @type {HTMLElement} */ (slot.querySelector('.frame')),
  caption: /** @type {HTMLElement} */ (slot.querySelector('figcaption')),
  button: /** @type {HTMLElement} */ (slot.querySelector('.button')),
  input: /** @type {HTMLInputElement} */ (slot.querySelector('input')),
}));
const lines = matchLines(pairBox);

/** @type {(File | null)[]} */
const photos = [null, null];
/** @type {(string | null)[]} */
const ids = [null, null];
/** @type {CompareReply | null} */
let comparison = null;
let abortController = new AbortController();
let linesOn = true;

/**
 * @param {File[]} files
 * @param {EventTarget | null} target an element of the slot for the first file
 */
async function takePhotos(files, target) {
  const slotName = target instanceof Element ? target.closest('[data-slot]')?.getAttribute('data-slot') : null;
  const first = slotName ? Number(slotName) : photos[0] && !photos[1] ? 1 : 0;
  for (const [offset, file] of files.entries()) {
    const at = (first + offset) % 2;
    photos[at] = file;
    show(at, file);
    ids[at] = await keepPhoto(file);
  }
  history.replaceState({ photos: ids }, '');
  void compare();
}

/**
 * @param {number} at number of the slot, from 0
 * @param {File} file
 */
function show(at, file) {
  const slot = slots[at];
  if (!slot) return;
  const image = imageOr(words.noPreview, { alt: words.photoNumber(at + 1) });
  image.src = URL.createObjectURL(file);
  const previous = slot.frame.querySelector('img, .missing');
  if (previous instanceof HTMLImageElement) URL.revokeObjectURL(previous.src);
  previous?.remove();
  slot.frame.prepend(image);
  slot.frame.dataset['filled'] = '';
  slot.caption.textContent = words.caption(file.name, file.size);
  slot.button.textContent = words.chooseAnother;
  // Both buttons show the same words.
  slot.input.setAttribute('aria-label', `${words.photoNumber(at + 1)}: ${words.chooseAnother}`);
}

async function compare() {
  const [photo1, photo2] = photos;
  abortController.abort();
  lines.clear();
  outcome.hidden = true;
  hideProblem();
  endWait();
  if (!photo1 || !photo2) {
    if (photo1 || photo2) showProgress(words.oneMore);
    return;
  }
  abortController = new AbortController();
  const { signal } = abortController;
  answerSection.setAttribute('aria-busy', 'true');
  showProgress(words.comparing);
  const answer = await sendWithRetries(
    () =>
      comparePhotos(photo1, photo2, {
        signal,
        onUpload: (share) => {
          working.textContent = words.uploadingBoth(share);
        },
        onUploaded: () => showProgress(words.comparing),
      }),
    { photos: [photo1, photo2], signal, onProblem: endWait, onRetry: compare },
  );
  if (signal.aborted) return;
  endWait();
  comparison = answer;
  if (answer) showOutcome(answer);
}

function endWait() {
  working.hidden = true;
  answerSection.removeAttribute('aria-busy');
}

/** @param {CompareReply} answer */
function showOutcome(answer) {
  outcome.replaceChildren(
    ...verdict(answer),
    ...(answer.matches.length ? [linesSwitch(linesOn, switchLines)] : []),
  );
  outcome.hidden = false;
  announce(verdictLine(answer));
  drawLines();
  // A reader who has scrolled below the outcome stays there.
  if (outcome.getBoundingClientRect().bottom > innerHeight) outcome.scrollIntoView({ block: 'nearest' });
}

function drawLines() {
  const [image1, image2] = slots.map(({ frame }) => frame.querySelector('img'));
  if (linesOn && comparison && image1 && image2) lines.show(image1, image2, comparison.matches);
  else lines.clear();
}

/** @param {boolean} on */
function switchLines(on) {
  linesOn = on;
  drawLines();
}

/** @param {string} text */
function showProgress(text) {
  working.hidden = false;
  working.textContent = text;
  announce(text);
}

watchPhotos(['photo-0', 'photo-1'], 2, takePhotos);
const samplesShown = pageInfo.then(async ({ samples }) => {
  if (!samples) return;
  const { offerSamples } = await import('./samples.js');
  const first = pairBox.querySelector('[data-slot]');
  offerSamples(find('samples', HTMLDivElement), samples.pairs, (pair) => takePhotos(pair, first));
});
void samplesShown.finally(() => delete document.documentElement.dataset['asking']);
void serverReady();
// After a reload or a change of language, show the photos again.
const previousIds = /** @type {{photos?: (string | null)[]} | null} */ (history.state)?.photos ?? [];
const previousPhotos = await Promise.all(previousIds.map((id) => (id ? keptPhoto(id) : null)));
for (const [at, file] of previousPhotos.entries()) {
  if (!file || photos[at]) continue;
  photos[at] = file;
  ids[at] = previousIds[at] ?? null;
  show(at, file);
}
if (previousPhotos.some(Boolean)) void compare();
