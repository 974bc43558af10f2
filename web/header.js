// The head of every page: where to go, the index's status, language and colours.

import { element, icon, whenBack } from './dom.js';
import { letOpenOffline } from './install.js';
import { keyChanged } from './key.js';
import { served } from './served.js';
import { language, remember, remembered, words } from './words.js';

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
  const chosen = isDark() ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = chosen;
  remember('theme', chosen);
  showTheme();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showTheme);
showTheme();

// Each button is in the language that it leads to.
const TONGUES = /** @type {const} */ ([
  ['en', 'English'],
  ['hi', 'हिन्दी'],
  ['hi-Latn', 'Hindi (abc)'],
]);
const tongues = TONGUES.filter(([other]) => other !== language).map(([other, name]) => {
  const tongue = element('button', { type: 'button', class: 'tongue', lang: other }, name);
  tongue.addEventListener('click', () => {
    remember('language', other);
    // What is on the page comes again: photos are kept, and the address holds the rest.
    location.reload();
  });
  return tongue;
});

// Another page may have been given other colours, another language or a key meanwhile.
whenBack(() => {
  const theme = remembered('theme');
  if (theme) document.documentElement.dataset['theme'] = theme;
  showTheme();
  if ((remembered('language') || language) !== language || keyChanged()) location.reload();
});

// As a link to a part of the page it would be a step of the history, without the photo at hand.
const skip = document.querySelector('.skip');
skip?.addEventListener('click', (event) => {
  event.preventDefault();
  const target = document.querySelector(skip.getAttribute('href') ?? '');
  if (target instanceof HTMLElement) target.focus();
});

const reports = linkTo(['reports', words.reports]);
// Its room is kept until the server says whether it has any, so that nothing moves.
reports.classList.add('later');
const nav = element('nav', { 'aria-label': words.pages }, ...PAGES.map(linkTo), reports);
void served.then((known) => known.reports && reports.classList.remove('later'));

document.querySelector('.bar')?.append(
  element('a', { class: 'brand', href: './' }, icon('pin'), 'place-search'),
  nav,
  element('div', { class: 'ends' }, status, ...tongues, theme),
);

void letOpenOffline();

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
