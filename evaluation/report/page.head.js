// What is known before the page is read: its colours, and whether it will be in other words.

// A server that shows reports tells in the address which colours and language its reader has chosen.
const chosen = new URLSearchParams(location.search);
const theme = chosen.get('theme');
if (theme) document.documentElement.dataset.theme = theme;
const language = chosen.get('language') ?? navigator.language;
const own = ['hi-Latn', 'hi'].find((known) => `${language}-`.startsWith(`${known}-`));
// Words that are longer would move what is below them, where the page is painted before they stand.
document.documentElement.classList.toggle('unsaid', Boolean(own));
