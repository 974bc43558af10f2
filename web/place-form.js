// Tending a place: what is said of it, its position, removing it with a way back.

import { ApiError } from './api.js';
import { announce, element, find } from './dom.js';
import { saying } from './explain.js';
import { hasKey, keyForm } from './key.js';
import { movePin, whenMoved } from './place-map.js';
import { placeWords } from './place-words.js';
import { hideProblem, showProblem } from './problem.js';
import { currentIndex, serverReady } from './server.js';
import { addButton } from './spot-photos.js';
import { changePlace, readTended, removePlace, restorePlace } from './tend-api.js';

/** @import { MayChange, Spot, Tended } from './tend-api.js' */
/** @import { Problem } from './page-types.js' */
/** @import { PlaceDetailsReply } from './types.js' */

/** @typedef {{tended: Tended | null, spot: Spot | null}} Page */
/** @typedef {{showPlace: (tended: Tended) => void, begin: () => Promise<void>, redrawSpot: (spot: Spot) => void}} On */
/** @typedef {{key: string, label: string, type: string, field: string | null}} Input */

const DIGITS = 7;

/** Takes what somebody else has changed into the form that is there. @type {() => void} */
let takeIn = () => {};

/**
 * Show what this visitor may do, or why it is nothing.
 * @param {HTMLDivElement} box
 * @param {MayChange} changes
 * @param {Page} page
 * @param {On} on
 */
export function showTools(box, changes, page, on) {
  if (changes !== 'allowed') box.replaceChildren(...whyNot(changes, box, on));
  // What is typed in a form that is there already is not lost.
  else if (box.querySelector('form.tend')) {
    takeIn();
  } else {
    void serverReady().then(() => {
      const { form, refused } = tendForm(page, on);
      box.replaceChildren(form, addButton(page, on.redrawSpot), removeButton(page, on, refused));
    });
  }
}

/**
 * @param {Exclude<MayChange, 'allowed'>} changes
 * @param {HTMLDivElement} box around what is said
 * @param {On} on
 */
function whyNot(changes, box, on) {
  if (changes !== 'needs_key') return [element('p', { class: 'note' }, placeWords[changes === 'never' ? 'readOnly' : 'indexRemoved'])];
  const typed = async () => {
    await on.begin();
    await serverReady();
    box.querySelector('input')?.focus();
  };
  const refused = hasKey() ? element('p', { role: 'alert' }, placeWords.keyReadsOnly) : '';
  return [element('p', { class: 'note' }, placeWords.needsKey), refused, keyForm(() => void typed())];
}

/**
 * @param {Page} page
 * @param {On} on
 */
function tendForm(page, on) {
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
  const said = element('p', { class: 'note', role: 'status', id: 'tend-said' });
  const conflict = element('div', { class: 'wide' });
  const parts = inputs.map((input) => {
    const control = controlOf(input);
    form.append(element('label', { class: input.type === 'note' ? 'wide' : null }, input.label, control));
    return { input, control };
  });
  form.append(conflict, element('p', { class: 'actions wide' }, element('button', { class: 'button' }, placeWords.save), said));

  /** What the form shows that is not the reader's: changes are told from it. @type {Record<string, string>} */
  let base = {};
  const values = () => Object.fromEntries(parts.map(({ input, control }) => [input.key, control.value.trim()]));
  /** Show the place, but for what was typed since the form had these values. */
  const fill = (since = values()) => {
    if (!page.tended) return;
    const typed = values();
    const shown = valuesOf(page.tended.place, inputs);
    base = {};
    for (const { input, control } of parts) {
      // What stands in a control may differ from what it was given.
      const filled = /** @type {typeof control} */ (control.cloneNode(true));
      filled.value = shown[input.key] ?? '';
      base[input.key] = filled.value.trim();
      if (typed[input.key] === since[input.key]) control.value = filled.value;
    }
  };
  const control = (/** @type {string} */ key) => parts.find((part) => part.input.key === key)?.control;
  whenMoved(({ latitude, longitude }) => {
    for (const [key, degrees] of Object.entries({ latitude, longitude })) {
      const part = control(key);
      if (part) part.value = degrees.toFixed(DIGITS);
    }
  });
  for (const key of ['latitude', 'longitude']) {
    control(key)?.addEventListener('change', () => {
      const { latitude = '', longitude = '' } = values();
      if (latitude && longitude) void movePin({ latitude: Number(latitude), longitude: Number(longitude) });
    });
  }
  fill();
  addEventListener('beforeunload', (event) => {
    if (form.isConnected && Object.keys(patchOf(inputs, base, values(), [])).length) event.preventDefault();
  });

  const tell = (/** @type {string | HTMLElement} */ text) => said.replaceChildren(text);
  let saving = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!page.tended || saving) return;
    hideProblem();
    tell('');
    const unread = parts.find((part) => part.control.validity.badInput);
    if (unread) {
      unread.control.focus();
      return tell(placeWords.unread(unread.input.label));
    }
    const before = base;
    const now = values();
    if (!now['latitude'] !== !now['longitude']) return tell(placeWords.bothNumbers);
    const patch = patchOf(inputs, base, now, page.tended.place.tags ?? []);
    if (!Object.keys(patch).length) return tell(placeWords.nothingNew);
    const { place, etag } = page.tended;
    const saved = () => {
      conflict.replaceChildren();
      tell(placeWords.saved);
    };
    saving = true;
    try {
      on.showPlace(await changePlace(place.place_id, patch, etag));
      fill(now);
      saved();
    } catch (error) {
      const problem = error instanceof ApiError ? error.problem : null;
      // A wrong value: the server's sentence says which, and what to write.
      if (problem?.status === 422 || problem?.status === 400) tell(saying('span', problem.detail, problem.reason));
      else await refused(error, () => form.requestSubmit());
      // A save whose answer was lost is there already.
      if (problem?.status === 412 && inputs.every(({ key }) => now[key] === before[key] || now[key] === base[key])) saved();
    } finally {
      saving = false;
    }
  });

  /**
   * Say why a change was not made; where somebody else was faster, say what they changed.
   * @param {unknown} error
   * @param {() => void} again
   */
  const refused = async (error, again) => {
    if (!(error instanceof ApiError)) throw error;
    if (!page.tended) return;
    const { place_id, name } = page.tended.place;
    if (isRemoved(error.problem)) return showRemoved(place_id, name, 'allowed', on);
    if (error.problem.status !== 412) return showProblem(error.problem, [], again);
    tell('');
    try {
      on.showPlace(await readTended(place_id));
      takeIn();
    } catch (unread) {
      await refused(unread, again);
    }
  };

  takeIn = () => {
    const before = base;
    // What the reader left alone takes their value, so that saving does not take it back.
    fill(before);
    const changed = inputs.filter(({ key }) => base[key] !== before[key]);
    conflict.replaceChildren();
    if (!changed.length) return;
    const take = element('button', { type: 'button', class: 'button quiet' }, placeWords.takeTheirs);
    take.addEventListener('click', () => {
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
        take,
      ),
    );
  };
  return { form, refused };
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
 * @returns {Record<string, string>} what the controls show of a place
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
  for (const { key, field } of inputs) {
    if (field) values[key] = `${place.fields?.[field] ?? ''}`;
  }
  return values;
}

/**
 * What was changed, as the server takes it: null takes back what was said.
 * @param {Input[]} inputs
 * @param {Record<string, string>} base
 * @param {Record<string, string>} now
 * @param {string[]} tags those that the place has
 */
function patchOf(inputs, base, now, tags) {
  /** @type {Record<string, unknown>} */
  const patch = {};
  /** @type {Record<string, unknown>} */
  const fields = {};
  for (const { key, field, type } of inputs) {
    const value = now[key] ?? '';
    if (value === base[key]) continue;
    if (field) fields[field] = fieldValue(type, value);
    else if (key === 'latitude' || key === 'longitude') patch['position'] = positionOf(now);
    else if (key === 'tags') patch['tags'] = tagsOf(value, tags);
    else patch[key] = value || null;
  }
  return Object.keys(fields).length ? { ...patch, fields } : patch;
}

/**
 * @param {string} text
 * @param {string[]} known tags of the place, which may have commas of their own
 */
function tagsOf(text, known) {
  const pieces = text.split(',');
  const sizes = [...known.map((tag) => tag.split(',').length), 1].sort((one, other) => other - one);
  const tags = [];
  while (pieces.length) {
    const size = sizes.find((many) => many === 1 || known.includes(pieces.slice(0, many).join(',').trim()));
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
 * @param {On} on
 * @param {(error: unknown, again: () => void) => Promise<void>} refused
 */
function removeButton(page, on, refused) {
  const remove = element('button', { type: 'button', class: 'button quiet', id: 'remove' }, placeWords.remove);
  remove.addEventListener('click', async () => {
    if (!page.tended) return;
    const { place, etag } = page.tended;
    hideProblem();
    try {
      await removePlace(place.place_id, etag);
      showRemoved(place.place_id, place.name, 'allowed', on);
    } catch (error) {
      await refused(error, () => remove.click());
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
 * Say that the place was removed; who may change it can bring it back.
 * @param {number} id
 * @param {string} name
 * @param {MayChange} changes
 * @param {On} on
 */
export function showRemoved(id, name, changes, on) {
  const box = find('removed', HTMLDivElement);
  find('answer', HTMLDivElement).hidden = true;
  box.hidden = false;
  const way = changes === 'allowed' ? [undoButton(id, on)] : whyNot(changes, box, on);
  box.replaceChildren(element('p', {}, placeWords.removed(name)), element('div', {}, ...way));
  if (changes === 'allowed') box.querySelector('button')?.focus();
}

/**
 * @param {number} id
 * @param {On} on
 */
function undoButton(id, on) {
  const undo = element('button', { type: 'button', class: 'button' }, placeWords.undo);
  undo.addEventListener('click', async () => {
    try {
      await restorePlace(id);
      await on.begin();
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
