// Runs before the page is shown: its language and its colours, as chosen before.
(() => {
  const root = document.documentElement;
  const chosen = (/** @type {string} */ name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage is switched off: nothing was chosen
    }
  };
  const theme = chosen('theme');
  if (theme) root.dataset.theme = theme;
  const language = chosen('language') ?? navigator.language;
  if (`${language}-`.startsWith('hi-')) {
    root.lang = language.startsWith('hi-Latn') ? 'hi-Latn' : 'hi';
    // The page is written in English; words.js shows it once it is in Hindi.
    root.dataset.waiting = '';
  }
})();
