// Copying a position to the clipboard.

import { announce, element, icon } from './dom.js';
import { formatPosition } from './format.js';
import { words } from './words.js';

/** @import { PositionReply } from './types.js' */

const SHOWN_MS = 1800;

/**
 * A position that copies itself when pressed.
 * @param {PositionReply} position
 */
export function positionButton(position) {
  const text = formatPosition(position);
  const said = element('span', { class: 'said' }, text);
  const button = element(
    'button',
    { type: 'button', class: 'position', 'aria-label': words.copyPosition(text), title: words.copyPosition(text) },
    said,
    icon('copy'),
  );
  button.addEventListener('click', async () => {
    const outcome = (await copyText(text)) ? words.copied : words.copyFailed;
    announce(outcome);
    // The width stays, so that nothing beside it moves.
    button.style.minWidth = `${button.offsetWidth}px`;
    button.replaceChildren(element('span', { class: 'said' }, outcome), icon('found'));
    setTimeout(() => button.replaceChildren(said, icon('copy')), SHOWN_MS);
  });
  return button;
}

/**
 * Copy text; false where the browser does not allow it.
 * @param {string} text
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/**
 * The old way: pages served over plain http by name or address have no clipboard API.
 * @param {string} text
 */
function copyBySelection(text) {
  const holder = element('textarea', { class: 'offscreen', readonly: true });
  holder.value = text;
  const focused = document.activeElement;
  // Inside an open dialog only its own elements can be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(holder);
  holder.select();
  const copied = document.execCommand('copy');
  holder.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}
