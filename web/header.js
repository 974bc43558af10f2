// The head of every page: its links, the index's status, the languages and the colours.

import { element, icon, whenBack } from './dom.js';
import { installWorker } from './install.js';
import { keyChanged } from './key.js';
import { pageInfo } from './page-info.js';
import { chooseSetting, chosenSetting, language, words } from './words.js';

const PAGES = /** @type {const} */ ([
  ['./', words.search],
  ['places', words.allPlaces],
  ['map', words.map],
  ['compare', words.compare],
  ['track', words.track],
  ['about', words.about],
]);

/** Where the server's status is shown. */
export const status = element('div', { class: 'status', id: 'status', role: 'status', 'aria-label': words.index });
status.append(element('p', {}, words.asking));

const theme = element('button', { type: 'button', class: 'tool' });
theme.addEventListener('click', () => {
  const newTheme = isDark() ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = newTheme;
  chooseSetting('theme', newTheme);
  showTheme();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showTheme);
showTheme();

// Each button is labelled in its own language.
const LANGUAGES = /** @type {const} */ ([
  ['en', 'English'],
  ['hi', 'हिन्दी'],
  ['hi-Latn', 'Hindi (abc)'],
]);
const languageButtons = LANGUAGES.filter(([code]) => code !== language).map(([code, name]) => {
  const button = element('button', { type: 'button', class: 'tongue', lang: code }, name);
  button.addEventListener('click', () => {
    chooseSetting('language', code);
    // The photos are stored, and the address has the settings; a page that would lose more asks first.
    location.reload();
  });
  return button;
});

// The reader may have changed colours, language or key on another page.
whenBack(() => {
  const newTheme = chosenSetting('theme');
  if (newTheme) document.documentElement.dataset['theme'] = newTheme;
  showTheme();
  if ((chosenSetting('language') || language) !== language || keyChanged()) location.reload();
});

// Following the skip link would add an entry to the history, and lose the entry's photo.
const skipLink = document.querySelector('.skip');
skipLink?.addEventListener('click', (event) => {
  event.preventDefault();
  const target = document.querySelector(skipLink.getAttribute('href') ?? '');
  if (target instanceof HTMLElement) target.focus();
});

const reports = linkTo(['reports', words.reports]);
// The link keeps its room until the server says whether it has reports, so that nothing moves.
reports.classList.add('later');
const nav = element('nav', { 'aria-label': words.pages }, ...PAGES.map(linkTo), reports);
void pageInfo.then((info) => info.reports && reports.classList.remove('later'));

document.querySelector('.bar')?.append(
  element('a', { class: 'brand', href: './' }, icon('pin'), 'place-search'),
  nav,
  element('div', { class: 'ends' }, status, ...languageButtons, theme),
);

void installWorker();

/** @param {readonly [string, string]} page */
function linkTo([address, name]) {
  const link = element('a', { href: address }, name);
  if (link.pathname === location.pathname) link.setAttribute('aria-current', 'page');
  return link;
}

function isDark() {
  const chosen = document.documentElement.dataset['theme'];
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function showTheme() {
  const label = isDark() ? words.toLight : words.toDark;
  theme.setAttribute('aria-label', label);
  theme.title = label;
  theme.replaceChildren(icon(isDark() ? 'sun' : 'moon'));
}
