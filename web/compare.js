// The compare page: two photos come in, one verdict comes back.

import { comparePhotos } from './api.js';
import { announce, find, imageOr } from './dom.js';
import { served } from './served.js';
import { takeIn } from './photo-input.js';
import { keep, kept } from './keep.js';
import { matchLines } from './matches.js';
import { persist } from './retry.js';
import { hideProblem } from './problem.js';
import { serverReady } from './server.js';
import { linesSwitch, verdict, verdictLine } from './verdict.js';
import { words } from './words.js';

/** @import { CompareReply } from './types.js' */

const couple = find('couple', HTMLDivElement);
const outcome = find('outcome', HTMLDivElement);
const answerRoom = find('answer', HTMLElement);
const working = find('working', HTMLParagraphElement);
const slots = [...couple.querySelectorAll('.slot')].map((slot) => ({
  frame: /** @type {HTMLElement} */ (slot.querySelector('.frame')),
  caption: /** @type {HTMLElement} */ (slot.querySelector('figcaption')),
  button: /** @type {HTMLElement} */ (slot.querySelector('.button')),
}));
const lines = matchLines(couple);

/** @type {(File | null)[]} */
const photos = [null, null];
/** @type {(string | null)[]} */
const ids = [null, null];
/** @type {CompareReply | null} */
let compared = null;
let running = new AbortController();
let linesOn = true;

/**
 * @param {File[]} files
 * @param {EventTarget | null} where
 */
async function take(files, where) {
  const aimed = where instanceof Element ? where.closest('[data-slot]')?.getAttribute('data-slot') : null;
  const first = aimed ? Number(aimed) : photos[0] && !photos[1] ? 1 : 0;
  for (const [after, file] of files.entries()) {
    const at = (first + after) % 2;
    photos[at] = file;
    show(at, file);
    ids[at] = await keep(file);
  }
  history.replaceState({ photos: ids }, '');
  void compare();
}

/**
 * @param {number} at
 * @param {File} file
 */
function show(at, file) {
  const slot = slots[at];
  if (!slot) return;
  const image = imageOr(words.noPreview, { alt: words.photoNumber(at + 1) });
  image.src = URL.createObjectURL(file);
  const before = slot.frame.querySelector('img, .missing');
  if (before instanceof HTMLImageElement) URL.revokeObjectURL(before.src);
  before?.remove();
  slot.frame.prepend(image);
  slot.frame.dataset['filled'] = '';
  slot.caption.textContent = words.caption(file.name, file.size);
  slot.button.textContent = words.chooseAnother;
}

async function compare() {
  const [one, other] = photos;
  running.abort();
  lines.clear();
  outcome.hidden = true;
  hideProblem();
  endWait();
  if (!one || !other) {
    working.hidden = !(one || other);
    working.textContent = words.oneMore;
    return;
  }
  running = new AbortController();
  const { signal } = running;
  answerRoom.setAttribute('aria-busy', 'true');
  say(words.comparing);
  const answer = await persist(
    () =>
      comparePhotos(one, other, {
        signal,
        onUpload: (share) => {
          working.textContent = words.uploadingBoth(share);
        },
        onUploaded: () => say(words.comparing),
      }),
    { photos: [one, other], signal, onProblem: endWait, again: compare },
  );
  if (signal.aborted) return;
  endWait();
  compared = answer;
  if (answer) showOutcome(answer);
}

function endWait() {
  working.hidden = true;
  answerRoom.removeAttribute('aria-busy');
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
  // Whoever has read on, below it, stays there.
  if (outcome.getBoundingClientRect().bottom > innerHeight) outcome.scrollIntoView({ block: 'nearest' });
}

function drawLines() {
  const [one, other] = slots.map(({ frame }) => frame.querySelector('img'));
  if (linesOn && compared && one && other) lines.show(one, other, compared.matches);
  else lines.clear();
}

/** @param {boolean} on */
function switchLines(on) {
  linesOn = on;
  drawLines();
}

/** @param {string} text */
function say(text) {
  working.hidden = false;
  working.textContent = text;
  announce(text);
}

takeIn(['photo-0', 'photo-1'], 2, take);
const offered = served.then(async ({ samples }) => {
  if (!samples) return;
  const { offerSamples } = await import('./samples.js');
  const first = couple.querySelector('[data-slot]');
  offerSamples(find('samples', HTMLDivElement), samples.pairs, (pair) => take(pair, first));
});
void offered.finally(() => delete document.documentElement.dataset['asking']);
void serverReady();
// After a reload or a change of language, the photos are still at hand.
const before = /** @type {{photos?: (string | null)[]} | null} */ (history.state)?.photos ?? [];
const found = await Promise.all(before.map((id) => (id ? kept(id) : null)));
for (const [at, file] of found.entries()) {
  if (!file || photos[at]) continue;
  photos[at] = file;
  ids[at] = before[at] ?? null;
  show(at, file);
}
if (found.some(Boolean)) void compare();
