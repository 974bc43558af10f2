// Copying a position to the clipboard.

import { announce, element, icon } from './dom.js';
import { formatPosition } from './format.js';
import { words } from './words.js';

/** @import { PositionReply } from './types.js' */

const SHOWN_MS = 1800;

/**
 * A position as a button that copies it.
 * @param {PositionReply} position
 */
export function positionButton(position) {
  const text = formatPosition(position);
  const label = element('span', { class: 'text' }, text);
  const button = element(
    'button',
    { type: 'button', class: 'position', 'aria-label': words.copyPosition(text), title: words.copyPosition(text) },
    label,
    icon('copy'),
  );
  button.addEventListener('click', async () => {
    const outcome = (await copyText(text)) ? words.copied : words.copyFailed;
    announce(outcome);
    // The button keeps its width, so that nothing beside it moves.
    button.style.minWidth = `${button.offsetWidth}px`;
    button.replaceChildren(element('span', { class: 'text' }, outcome), icon('found'));
    setTimeout(() => button.replaceChildren(label, icon('copy')), SHOWN_MS);
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
 * Copy by a selection: pages over plain http, but for those of localhost, have no clipboard API.
 * @param {string} text
 */
function copyBySelection(text) {
  const holder = element('textarea', { class: 'offscreen', readonly: true });
  holder.value = text;
  const focusedBefore = document.activeElement;
  // Inside an open dialog only its own elements can be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(holder);
  holder.select();
  const copied = document.execCommand('copy');
  holder.remove();
  if (focusedBefore instanceof HTMLElement) focusedBefore.focus();
  return copied;
}
