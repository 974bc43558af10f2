// Sets the language and the colours that the reader chose before the browser shows the page.
(() => {
  const root = document.documentElement;
  const chosenSetting = (/** @type {string} */ name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage is switched off
    }
  };
  const theme = chosenSetting('theme');
  if (theme) root.dataset.theme = theme;
  const language = chosenSetting('language') ?? navigator.language;
  if (`${language}-`.startsWith('hi-')) {
    root.lang = language.startsWith('hi-Latn') ? 'hi-Latn' : 'hi';
    // The HTML file is in English: words.js shows the page once it is translated.
    root.dataset.waiting = '';
  }
})();
