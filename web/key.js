// The API key that a server may need: the reader types it, and this tab's session storage keeps it.

import { element } from './dom.js';
import { words } from './words.js';

const KEY_NAME = 'place-search-key';

let key = sessionValue(KEY_NAME);
/** @type {(() => void)[]} */
let waiters = [];

/**
 * The header that sends the key; no header without a key.
 * @returns {Record<string, string>}
 */
export function authorization() {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

export const hasKey = () => key !== '';

/** Whether another page of this tab has stored another key; that it deleted the key does not count. */
export function keyChanged() {
  const storedKey = sessionValue(KEY_NAME);
  return storedKey !== '' && storedKey !== key;
}

/** Whether the page waits for a key and can read nothing without one. */
export const isKeyAwaited = () => waiters.length > 0;

/** Wait until the reader types a key. */
export function keyTyped() {
  return new Promise((/** @type {(value: void) => void} */ resolve) => waiters.push(resolve));
}

/**
 * A form for a key.
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
    // Headers, and therefore keys, are ASCII: escape other letters.
    setKey(encodeURI(input.value.trim()), onTyped);
  });
  return form;
}

/**
 * A button that deletes the key: without a key, the server may still show what is public.
 * @param {() => void} onDeleted
 */
export function forgetButton(onDeleted) {
  const button = element('button', { type: 'button', class: 'button quiet' }, words.forgetKey);
  button.addEventListener('click', () => setKey('', onDeleted));
  return button;
}

/**
 * Store a key, or "" for none, and wake what waited for a key.
 * @param {string} newKey
 * @param {() => void} onStored
 */
function setKey(newKey, onStored) {
  key = newKey;
  setSessionValue(KEY_NAME, key);
  const wakeAll = waiters;
  waiters = [];
  onStored();
  for (const wake of wakeAll) wake();
}

/**
 * The value that this tab's session storage has for a name, or "".
 * @param {string} name
 */
export function sessionValue(name) {
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
export function setSessionValue(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // Storage is switched off: the value lasts as long as the page.
  }
}
