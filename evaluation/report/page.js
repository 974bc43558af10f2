document.getElementById('away').hidden = !/\/reports\/[^/]+\/$/.test(location.pathname);

// The page is written in English; its messages have the same values in other languages.
const table = own && WORDS[own];

/** @param {string} message key and values of a message, as JSON */
function translate(message) {
  const [key, values] = JSON.parse(message);
  return table[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

if (table) {
  document.documentElement.lang = own;
  for (const part of document.querySelectorAll('[data-words]')) {
    part.textContent = translate(part.dataset.words);
  }
  for (const name of ['alt', 'aria-label']) {
    for (const part of document.querySelectorAll(`[data-${name}]`)) {
      part.setAttribute(name, translate(part.getAttribute(`data-${name}`)));
    }
  }
  document.title = document.querySelector('h1').textContent;
  document.documentElement.classList.remove('unsaid');
}

// The page holds each photo once, however often it is shown.
for (const image of document.querySelectorAll('img[data-photo]')) {
  const photo = PHOTOS[Number(image.dataset.photo)];
  if (photo) {
    image.src = `data:image/jpeg;base64,${photo}`;
  } else {
    const placeholder = document.createElement('span');
    placeholder.className = 'gone';
    placeholder.textContent = table ? table.unreadable : 'cannot be read';
    image.replaceWith(placeholder);
  }
}

const buttons = [...document.querySelectorAll('button[data-filter]')];

/** @param {string} filter "all" or "wrong" */
function show(filter) {
  for (const button of buttons) {
    button.setAttribute('aria-pressed', String(button.dataset.filter === filter));
  }
  let visible = 0;
  for (const card of document.querySelectorAll('#cards > article')) {
    card.hidden = filter === 'wrong' && card.classList.contains('is-right');
    visible += card.hidden ? 0 : 1;
  }
  document.getElementById('none').hidden = visible > 0;
}

for (const button of buttons) {
  button.addEventListener('click', () => show(button.dataset.filter));
}

// A link from the map must not lead to a card that the filter hides.
addEventListener('hashchange', () => {
  const card = document.getElementById(location.hash.slice(1));
  if (card?.hidden) {
    show('all');
    card.scrollIntoView();
  }
});
