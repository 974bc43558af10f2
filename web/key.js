// The API key that a server may ask for: typed on the page, and kept for this tab only.

import { element } from './dom.js';
import { words } from './words.js';

const NAME = 'place-search-key';

let key = stored(NAME);
/** @type {(() => void)[]} */
let waiting = [];

/**
 * The header of requests that shows the key, where there is one.
 * @returns {Record<string, string>}
 */
export function authorization() {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

export const hasKey = () => key !== '';

/** Whether another page of this tab has taken another key; that it forgot this one changes nothing. */
export function keyChanged() {
  const now = stored(NAME);
  return now !== '' && now !== key;
}

/** Whether nothing of the page can be read before a key is typed. */
export const isAwaited = () => waiting.length > 0;

/** Wait until a key is typed, whatever else the reader does. */
export function keyTyped() {
  return new Promise((/** @type {(value: void) => void} */ resolve) => waiting.push(resolve));
}

/**
 * A form that takes a key.
 * @param {() => void} onTyped
 */
export function keyForm(onTyped) {
  const input = element('input', { id: 'key', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false' });
  const form = element(
    'form',
    { class: 'key' },
    element('label', { for: 'key' }, words.apiKey),
    input,
    element('button', { class: 'button' }, words.useKey),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    // Headers take ASCII only, and so are keys.
    take(encodeURI(input.value.trim()), onTyped);
  });
  return form;
}

/**
 * A button that forgets the key: what it does not open may be open to everybody.
 * @param {() => void} onForgotten
 */
export function forgetButton(onForgotten) {
  const button = element('button', { type: 'button', class: 'button quiet' }, words.forgetKey);
  button.addEventListener('click', () => take('', onForgotten));
  return button;
}

/**
 * Take a key, or "" for none, and let go on what waited for one.
 * @param {string} given
 * @param {() => void} onTaken
 */
function take(given, onTaken) {
  key = given;
  store(NAME, key);
  const woken = waiting;
  waiting = [];
  onTaken();
  for (const wake of woken) wake();
}

/**
 * What this tab keeps by a name, or "".
 * @param {string} name
 */
export function stored(name) {
  try {
    return sessionStorage.getItem(name) ?? '';
  } catch {
    return ''; // storage is switched off
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function store(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // Then it lasts as long as the page.
  }
}
