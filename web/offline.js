// The page shown without a connection in place of a page that was never opened.

const POLL_MS = 5000;
const root = document.documentElement;
// The page is in all languages, and the reader's comes first.
const ownSection = document.querySelector(`section[lang="${root.lang}"]`);
if (ownSection) ownSection.parentElement?.prepend(ownSection);
root.lang = 'en';
delete root.dataset['waiting'];
document.getElementById('again')?.addEventListener('click', () => location.reload());
addEventListener('online', () => location.reload());
// The event "online" may come before this script, and does not come where only the server was down.
setInterval(async () => {
  const answer = await fetch('livez', { cache: 'no-store' }).catch(() => null);
  if (answer?.ok) location.reload();
}, POLL_MS);
