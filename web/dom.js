// Small helpers for the document.

/**
 * The element of an id that index.html must hold.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function find(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

/**
 * Make an element. Text children are set as text, so names from an index are never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null>} attributes null and false leave one out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? '' : `${value}`);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * An image; where it cannot be shown, words stand in its place.
 * @param {string} missing
 * @param {Record<string, string | number | boolean | null>} [attributes]
 */
export function imageOr(missing, attributes = {}) {
  const image = element('img', { alt: '', decoding: 'async', ...attributes });
  image.addEventListener('error', () => image.replaceWith(element('span', { class: 'missing' }, missing)));
  return image;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * A symbol of icons.svg, for decoration: its meaning must be in words beside it.
 * @param {string} name
 */
export function icon(name) {
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('class', 'icon');
  drawing.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `icons.svg#${name}`);
  drawing.append(use);
  return drawing;
}

/**
 * Say something to screen readers, without showing it.
 * @param {string} words
 */
export function announce(words) {
  find('live', HTMLParagraphElement).textContent = words;
}

/**
 * Call back where Back or Forward shows the page as it was left, which many browsers keep whole.
 * @param {() => void} call
 */
export function whenBack(call) {
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) call();
  });
}
