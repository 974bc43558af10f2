// The form that changes a place's details and position, and the buttons that remove and restore it.

import { ApiError } from './api.js';
import { announce, element, find } from './dom.js';
import { changePlace, readPlaceVersion, removePlace, restorePlace } from './edit-api.js';
import { sentenceElement } from './problem-text.js';
import { hasKey, keyForm } from './key.js';
import { movePin, whenMoved } from './place-map.js';
import { placeWords } from './place-words.js';
import { hideProblem, showProblem } from './problem.js';
import { currentIndex, serverReady } from './server.js';
import { addButton } from './spot-photos.js';

/** @import { ChangeRight, GroupVersion, PlaceVersion } from './edit-api.js' */
/** @import { Problem } from './page-types.js' */
/** @import { PlaceDetailsReply } from './types.js' */

/** @typedef {{placeVersion: PlaceVersion | null, spot: GroupVersion | null}} Page */
/** @typedef {{showPlace: (placeVersion: PlaceVersion) => void, load: () => Promise<void>, redrawSpot: (spot: GroupVersion) => void}} Handlers */
/** @typedef {{key: string, label: string, type: string, field: string | null}} Input */

const DIGITS = 7;

/** Merges changes of somebody else into the form. @type {() => void} */
let mergeChanges = () => {};

/**
 * Show the form and the buttons to readers who may change the place, and a reason to others.
 * @param {HTMLDivElement} box
 * @param {ChangeRight} right
 * @param {Page} page
 * @param {Handlers} handlers
 */
export function showTools(box, right, page, handlers) {
  if (right !== 'allowed') box.replaceChildren(...refusal(right, box, handlers));
  // A form that is shown already stays, with what the reader has typed.
  else if (box.querySelector('form.tend')) {
    mergeChanges();
  } else {
    void serverReady().then(() => {
      const { form, showRefusal } = editForm(page, handlers);
      box.replaceChildren(form, addButton(page, handlers.redrawSpot), removeButton(page, handlers, showRefusal));
    });
  }
}

/**
 * The reason why the reader may not change the place, with a form for a key where that would help.
 * @param {Exclude<ChangeRight, 'allowed'>} right
 * @param {HTMLDivElement} box the element that will show the reason
 * @param {Handlers} handlers
 */
function refusal(right, box, handlers) {
  if (right !== 'needs_key') return [element('p', { class: 'note' }, placeWords[right === 'never' ? 'readOnly' : 'indexRemoved'])];
  const onTyped = async () => {
    await handlers.load();
    await serverReady();
    box.querySelector('input')?.focus();
  };
  const keyReadsOnly = hasKey() ? element('p', { role: 'alert' }, placeWords.keyReadsOnly) : '';
  return [element('p', { class: 'note' }, placeWords.needsKey), keyReadsOnly, keyForm(() => void onTyped())];
}

/**
 * @param {Page} page
 * @param {Handlers} handlers
 */
function editForm(page, handlers) {
  /** @type {Input[]} */
  const inputs = [
    { key: 'name', label: placeWords.name, type: 'text', field: null },
    { key: 'tags', label: placeWords.tagsHow, type: 'text', field: null },
    { key: 'latitude', label: placeWords.latitude, type: 'degrees', field: null },
    { key: 'longitude', label: placeWords.longitude, type: 'degrees', field: null },
    ...Object.entries(currentIndex()?.fields ?? {}).map(([field, type]) => ({ key: `field-${field}`, label: field, type: type === 'text' ? 'lines' : type, field })),
    { key: 'note', label: placeWords.note, type: 'note', field: null },
  ];
  const form = element('form', { class: 'tend', novalidate: true });
  const status = element('p', { class: 'note', role: 'status', id: 'tend-said' });
  const conflict = element('div', { class: 'wide' });
  const controls = inputs.map((input) => {
    const control = controlOf(input);
    form.append(element('label', { class: input.type === 'note' ? 'wide' : null }, input.label, control));
    return { input, control };
  });
  form.append(conflict, element('p', { class: 'actions wide' }, element('button', { class: 'button' }, placeWords.save), status));

  /** The place's values in the form: a value that differs is the reader's change. @type {Record<string, string>} */
  let base = {};
  const values = () => Object.fromEntries(controls.map(({ input, control }) => [input.key, control.value.trim()]));
  /** Show the place's values, but leave those that differ from `before`: the reader typed them. */
  const fill = (before = values()) => {
    if (!page.placeVersion) return;
    const typed = values();
    const shown = valuesOf(page.placeVersion.place, inputs);
    base = {};
    for (const { input, control } of controls) {
      // A control may hold a value in another form than it was set to: a copy shows which.
      const copy = /** @type {typeof control} */ (control.cloneNode(true));
      copy.value = shown[input.key] ?? '';
      base[input.key] = copy.value.trim();
      if (typed[input.key] === before[input.key]) control.value = copy.value;
    }
  };
  const controlOfKey = (/** @type {string} */ key) => controls.find(({ input }) => input.key === key)?.control;
  whenMoved(({ latitude, longitude }) => {
    for (const [key, degrees] of Object.entries({ latitude, longitude })) {
      const control = controlOfKey(key);
      if (control) control.value = degrees.toFixed(DIGITS);
    }
  });
  for (const key of ['latitude', 'longitude']) {
    controlOfKey(key)?.addEventListener('change', () => {
      const { latitude = '', longitude = '' } = values();
      if (latitude && longitude) void movePin({ latitude: Number(latitude), longitude: Number(longitude) });
    });
  }
  fill();
  addEventListener('beforeunload', (event) => {
    if (form.isConnected && Object.keys(patchOf(inputs, base, values(), [])).length) event.preventDefault();
  });

  const showStatus = (/** @type {string | HTMLElement} */ text) => status.replaceChildren(text);
  /**
   * Show what is wrong with the value of a control.
   * @param {HTMLElement} control
   * @param {string} sentence
   */
  const refuse = (control, sentence) => {
    showStatus(sentence);
    control.setAttribute('aria-invalid', 'true');
    control.setAttribute('aria-describedby', status.id);
    control.focus();
  };
  let saving = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!page.placeVersion || saving) return;
    hideProblem();
    showStatus('');
    for (const { control } of controls) for (const name of ['aria-invalid', 'aria-describedby']) control.removeAttribute(name);
    const invalid = controls.find(({ control }) => control.validity.badInput);
    if (invalid) return refuse(invalid.control, placeWords.unread(invalid.input.label));
    const before = base;
    const now = values();
    const missing = controlOfKey(now['latitude'] ? 'longitude' : 'latitude');
    if (missing && !now['latitude'] !== !now['longitude']) return refuse(missing, placeWords.bothNumbers);
    const patch = patchOf(inputs, base, now, page.placeVersion.place.tags ?? []);
    if (!Object.keys(patch).length) return showStatus(placeWords.nothingNew);
    const { place, etag } = page.placeVersion;
    const showSaved = () => {
      conflict.replaceChildren();
      showStatus(placeWords.saved);
    };
    saving = true;
    try {
      handlers.showPlace(await changePlace(place.place_id, patch, etag));
      fill(now);
      showSaved();
    } catch (error) {
      const problem = error instanceof ApiError ? error.problem : null;
      // For a wrong value, the server's sentence names it, and says what to write.
      if (problem?.status === 422 || problem?.status === 400) showStatus(sentenceElement('span', problem.detail, problem.reason));
      else await showRefusal(error, () => form.requestSubmit());
      // The server has saved the change already where only the answer to the first try was lost.
      if (problem?.status === 412 && inputs.every(({ key }) => now[key] === before[key] || now[key] === base[key])) showSaved();
    } finally {
      saving = false;
    }
  });

  /**
   * Show why the server refused a change; where somebody else was faster, show what they changed.
   * @param {unknown} error
   * @param {() => void} onRetry
   */
  const showRefusal = async (error, onRetry) => {
    if (!(error instanceof ApiError)) throw error;
    if (!page.placeVersion) return;
    const { place_id, name } = page.placeVersion.place;
    if (isRemoved(error.problem)) return showRemoved(place_id, name, 'allowed', handlers);
    if (error.problem.status !== 412) return showProblem(error.problem, [], onRetry);
    showStatus('');
    try {
      handlers.showPlace(await readPlaceVersion(place_id));
      mergeChanges();
    } catch (readError) {
      await showRefusal(readError, onRetry);
    }
  };

  mergeChanges = () => {
    const before = base;
    // Inputs that the reader did not change take the new values, so that saving does not undo them.
    fill(before);
    const changed = inputs.filter(({ key }) => base[key] !== before[key]);
    conflict.replaceChildren();
    if (!changed.length) return;
    const takeButton = element('button', { type: 'button', class: 'button quiet' }, placeWords.takeTheirs);
    takeButton.addEventListener('click', () => {
      fill();
      conflict.replaceChildren();
      form.querySelector('input')?.focus();
    });
    conflict.replaceChildren(
      element(
        'div',
        { class: 'conflict', role: 'alert' },
        element('p', {}, placeWords.conflict),
        element('ul', {}, ...changed.map(({ key, label }) => element('li', {}, placeWords.conflictNow(label, base[key] ?? '')))),
        element('p', {}, placeWords.conflictMend),
        takeButton,
      ),
    );
  };
  return { form, showRefusal };
}

/**
 * @param {Input} input
 * @returns {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement}
 */
function controlOf({ key, type }) {
  const shared = { id: `tend-${key}`, autocomplete: 'off' };
  switch (type) {
    case 'note':
      return element('textarea', { ...shared, maxlength: 4000 });
    case 'lines':
      return element('textarea', { ...shared, rows: 1 });
    case 'boolean':
      return element(
        'select',
        shared,
        element('option', { value: '' }, '–'),
        element('option', { value: 'true' }, placeWords.yes),
        element('option', { value: 'false' }, placeWords.no),
      );
    case 'degrees':
    case 'number':
      return element('input', { ...shared, type: 'number', step: 'any', inputmode: 'decimal' });
    case 'date':
      return element('input', { ...shared, type: 'date' });
    default:
      return element('input', { ...shared, type: 'text', maxlength: key === 'name' ? 200 : null });
  }
}

/**
 * @param {PlaceDetailsReply} place
 * @param {Input[]} inputs
 * @returns {Record<string, string>} the controls' values by key
 */
function valuesOf(place, inputs) {
  const { position } = place;
  /** @type {Record<string, string>} */
  const values = {
    name: place.name,
    note: (place.note ?? '').trim(),
    tags: (place.tags ?? []).join(', '),
    latitude: position ? `${Number(position.latitude.toFixed(DIGITS))}` : '',
    longitude: position ? `${Number(position.longitude.toFixed(DIGITS))}` : '',
  };
  // Every object has a `constructor`, also where the place's own field of that name is empty.
  const fields = new Map(Object.entries(place.fields ?? {}));
  for (const { key, field } of inputs) {
    if (field) values[key] = `${fields.get(field) ?? ''}`;
  }
  return values;
}

/**
 * The values that the reader changed, as the body of a PATCH; null deletes a value.
 * @param {Input[]} inputs
 * @param {Record<string, string>} base
 * @param {Record<string, string>} now
 * @param {string[]} tags of the place
 */
function patchOf(inputs, base, now, tags) {
  /** @type {Record<string, unknown>} */
  const patch = {};
  /** @type {Map<string, unknown>} */
  const fields = new Map();
  for (const { key, field, type } of inputs) {
    const value = now[key] ?? '';
    if (value === base[key]) continue;
    if (field) fields.set(field, fieldValue(type, value));
    else if (key === 'latitude' || key === 'longitude') patch['position'] = positionOf(now);
    else if (key === 'tags') patch['tags'] = tagsOf(value, tags);
    else patch[key] = value || null;
  }
  return fields.size ? { ...patch, fields: Object.fromEntries(fields) } : patch;
}

/**
 * @param {string} text
 * @param {string[]} oldTags the place's tags, which may contain commas
 */
function tagsOf(text, oldTags) {
  const pieces = text.split(',');
  const sizes = [...oldTags.map((tag) => tag.split(',').length), 1].sort((a, b) => b - a);
  const tags = [];
  while (pieces.length) {
    const size = sizes.find((count) => count === 1 || oldTags.includes(pieces.slice(0, count).join(',').trim()));
    tags.push(pieces.splice(0, size).join(',').trim());
  }
  return tags.filter(Boolean);
}

/** @param {Record<string, string>} now */
function positionOf({ latitude, longitude }) {
  return latitude ? { latitude: Number(latitude), longitude: Number(longitude) } : null;
}

/**
 * @param {string} type
 * @param {string} value
 */
function fieldValue(type, value) {
  if (!value) return null;
  if (type === 'number') return Number(value);
  return type === 'boolean' ? value === 'true' : value;
}

/**
 * @param {Page} page
 * @param {Handlers} handlers
 * @param {(error: unknown, onRetry: () => void) => Promise<void>} showRefusal
 */
function removeButton(page, handlers, showRefusal) {
  const remove = element('button', { type: 'button', class: 'button quiet', id: 'remove' }, placeWords.remove);
  remove.addEventListener('click', async () => {
    if (!page.placeVersion) return;
    const { place, etag } = page.placeVersion;
    hideProblem();
    try {
      await removePlace(place.place_id, etag);
      showRemoved(place.place_id, place.name, 'allowed', handlers);
    } catch (error) {
      await showRefusal(error, () => remove.click());
    }
  });
  return element('p', { class: 'actions' }, remove);
}

/**
 * Whether the place was removed, and can be brought back.
 * @param {Problem} problem
 */
export const isRemoved = ({ reason }) => reason?.code === 'place-removed';

/**
 * Show that the place was removed, with a button that restores it for a reader who may.
 * @param {number} id
 * @param {string} name
 * @param {ChangeRight} right
 * @param {Handlers} handlers
 */
export function showRemoved(id, name, right, handlers) {
  const box = find('removed', HTMLDivElement);
  find('answer', HTMLDivElement).hidden = true;
  box.hidden = false;
  const actions = right === 'allowed' ? [undoButton(id, handlers)] : refusal(right, box, handlers);
  box.replaceChildren(element('p', {}, placeWords.removed(name)), element('div', {}, ...actions));
  if (right === 'allowed') box.querySelector('button')?.focus();
}

/**
 * @param {number} id
 * @param {Handlers} handlers
 */
function undoButton(id, handlers) {
  const undo = element('button', { type: 'button', class: 'button' }, placeWords.undo);
  undo.addEventListener('click', async () => {
    try {
      await restorePlace(id);
      await handlers.load();
      await serverReady();
      announce(placeWords.restored);
      document.getElementById('remove')?.focus();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showProblem(error.problem, [], () => undo.click());
    }
  });
  return undo;
}
