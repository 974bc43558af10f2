// The about page: how the model turns a photo into a descriptor, step by step.

import { ApiError, explainPhoto, readDots, readModel, readPhoto, readPlace } from './api.js';
import { announce, element, find } from './dom.js';
import { describeProblem } from './problem-text.js';
import { clusterColour, drawCells, drawDescriptor, drawPhoto, halvings } from './figures.js';
import { watchPhotos } from './photo-input.js';
import { keepPhoto, latestPhoto } from './photo-store.js';
import { sendWithRetries } from './retry.js';
import { currentIndex, serverReady } from './server.js';
import { words } from './words.js';

/** @import { ExplainReply } from './types.js' */

const MAX_CHIPS = 16;
/** Pixels of the example's longer side: about the size that the model takes. */
const EXAMPLE_SIDE = 640;

const photoName = find('photo-name', HTMLParagraphElement);
const cells = find('cells', HTMLCanvasElement);
const chips = find('chips', HTMLDivElement);
const clusterNote = find('cluster-note', HTMLParagraphElement);
let abortController = new AbortController();

/** @param {File} photo */
async function show(photo) {
  abortController.abort();
  abortController = new AbortController();
  const { signal } = abortController;
  photoName.textContent = words.explaining;
  const explained = await sendWithRetries(() => explainPhoto(photo, { signal }), {
    photos: [photo],
    signal,
    onProblem: () => (photoName.textContent = ''),
    onRetry: () => show(photo),
  });
  if (!explained) return;
  photoName.textContent = photo.name;
  showNumbers(explained);
  const image = new Image();
  image.src = URL.createObjectURL(photo);
  const isShown = await image.decode().then(() => true, () => false);
  URL.revokeObjectURL(image.src);
  if (signal.aborted) return;
  if (isShown) {
    draw(image, explained);
  } else {
    // The browser cannot read the photo's format, though the server can: show only the numbers.
    photoName.textContent = `${photo.name}. ${words.noPreview}`;
    hideDrawings();
  }
}

/** @param {ExplainReply} explained */
function showNumbers(explained) {
  const { seen, grid, clusters, channels } = explained;
  find('seen-size', HTMLElement).textContent = words.seenAs(seen.width, seen.height);
  find('cells-count', HTMLElement).textContent = words.gridOf(grid.columns, grid.rows);
  find('product', HTMLElement).textContent = words.productOf(clusters, channels, explained.dims);
  const canvas = find('descriptor', HTMLCanvasElement);
  canvas.setAttribute('aria-label', words.descriptorOf(clusters * channels));
  reveal(canvas, drawDescriptor(canvas, explained));
}

/**
 * @param {HTMLImageElement} image
 * @param {ExplainReply} explained
 */
function draw(image, explained) {
  const seen = find('seen', HTMLCanvasElement);
  seen.setAttribute('aria-label', words.thePhoto);
  drawPhoto(seen, image, explained.seen);
  const halves = find('halves', HTMLDivElement);
  halves.replaceChildren(
    ...halvings(image, explained).map(({ canvas, text }) => element('div', {}, canvas, element('span', {}, text))),
  );
  cells.setAttribute('aria-label', words.cellsOf);
  drawCells(cells, image, explained, null);
  for (const canvas of [seen, halves, cells]) reveal(canvas, true);
  showChips(image, explained);
}

/** Hide what was drawn of an earlier photo. */
function hideDrawings() {
  for (const id of ['seen', 'halves', 'cells']) reveal(find(id, HTMLElement), false);
  chips.replaceChildren();
  clusterNote.textContent = '';
}

/**
 * Show a button for each of the commonest clusters.
 * @param {HTMLImageElement} image
 * @param {ExplainReply} explained
 */
function showChips(image, explained) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const cluster of explained.assignment.flat()) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_CHIPS);
  const all = words.allClusters(counts.size, explained.clusters);
  clusterNote.textContent = all;
  chips.replaceChildren(
    ...common.map(([cluster, count]) => {
      const dot = element('i', { 'aria-hidden': true });
      dot.style.setProperty('--colour', clusterColour(cluster));
      const chip = element('button', { type: 'button', 'aria-pressed': 'false', 'aria-label': words.clusterOf(cluster, count) }, dot, `${count}`);
      chip.addEventListener('click', () => {
        const on = chip.getAttribute('aria-pressed') === 'false';
        for (const other of chips.children) other.setAttribute('aria-pressed', 'false');
        chip.setAttribute('aria-pressed', `${on}`);
        drawCells(cells, image, explained, on ? cluster : null);
        clusterNote.textContent = on ? words.clusterOf(cluster, count) : all;
      });
      return chip;
    }),
  );
}

/**
 * @param {HTMLElement} drawing in a figure
 * @param {boolean} visible
 */
function reveal(drawing, visible) {
  const figure = drawing.closest('figure');
  if (figure) figure.hidden = !visible;
}

async function showModel() {
  const serving = find('serving', HTMLDivElement);
  const model = await readModel().catch((error) => {
    if (!(error instanceof ApiError)) throw error;
    const retry = element('button', { type: 'button', class: 'button quiet' }, words.tryAgain);
    retry.addEventListener('click', () => {
      serving.tabIndex = -1;
      serving.focus(); // the button disappears
      void showModel();
    });
    serving.replaceChildren(element('p', { role: 'alert' }, describeProblem(error.problem, []).title), retry);
  });
  if (!model) return;
  const { id, title, backbone, clusters, channels, dims, licence, fitted } = model;
  // What a model's card says of it is English.
  const english = (/** @type {string} */ text) => element('span', { lang: 'en' }, text);
  const facts = /** @type {[string, string | Node][]} */ ([
    [words.modelName, english(`${id} (${title})`)],
    [words.backbone, english(backbone)],
    [words.descriptorLength, clusters === null || channels === null ? words.dims(dims) : words.productOf(clusters, channels, dims)],
    ...(fitted ? [[words.fitted, english(fitted)]] : []),
    [words.licence, english(licence)],
  ]);
  serving.replaceChildren(
    element('h3', {}, words.servingNow),
    element('dl', {}, ...facts.flatMap(([name, fact]) => [element('dt', {}, name), element('dd', {}, fact)])),
  );
}

/** A photo of the index, shown until the reader chooses one; null where no place has a position. */
async function examplePhoto() {
  if (!currentIndex()?.positions) return null;
  const { features } = await readDots([-180, -90, 180, 90], new AbortController().signal);
  const first = features[0];
  if (!first) return null;
  const { name, image_url } = await readPlace(first.properties.place_id);
  return readPhoto({ name, image_url: `${image_url}?side=${EXAMPLE_SIDE}` });
}

watchPhotos(['photo'], 1, async ([photo]) => {
  if (!photo) return;
  announce(words.explaining);
  void show(photo);
  await keepPhoto(photo);
});
const firstRun = abortController;
await serverReady();
void showModel();
const photo = (await latestPhoto())?.photo ?? (await examplePhoto().catch(() => null));
if (photo && abortController === firstRun) void show(photo);
