// Small helpers for the document.

/**
 * The element of an id that the page must have.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function find(id, type) {
  const node = document.getElementById(id);
  if (!(node instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return node;
}

/**
 * Make an element. Text children are set as text, so names from an index are never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null>} attributes those that are null or false are left out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) {
      // Of ARIA, an empty value would mean nothing.
      node.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : `${value}`);
    }
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/**
 * An image, which a sentence replaces where it cannot be shown.
 * @param {string} missing the sentence
 * @param {Record<string, string | number | boolean | null>} [attributes]
 */
export function imageOr(missing, attributes = {}) {
  const image = element('img', { alt: '', decoding: 'async', ...attributes });
  image.addEventListener('error', () => image.replaceWith(element('span', { class: 'missing' }, missing)));
  return image;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * A symbol of icons.svg, for decoration: words beside it must say its meaning.
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
 * Let screen readers read a sentence that the page does not show.
 * @param {string} sentence
 */
export function announce(sentence) {
  find('live', HTMLParagraphElement).textContent = sentence;
}

/**
 * Call back where Back or Forward shows the page from the browser's memory, without a reload.
 * @param {() => void} onBack
 */
export function whenBack(onBack) {
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) onBack();
  });
}
