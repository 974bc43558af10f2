// Colours and language, set before the page is read.

// A server puts the reader's choice of colours and language into the report's address.
const chosen = new URLSearchParams(location.search);
const theme = chosen.get('theme');
if (theme) document.documentElement.dataset.theme = theme;
const language = chosen.get('language') ?? navigator.language;
const own = ['hi-Latn', 'hi'].find((name) => `${language}-`.startsWith(`${name}-`));
// Hides the page until it is translated: longer words would move what is painted below them.
document.documentElement.classList.toggle('unsaid', Boolean(own));
