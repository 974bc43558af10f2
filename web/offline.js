// The page that stands for one that was never opened, while there is no connection.

const ASK_EVERY_MS = 5000;
const root = document.documentElement;
// It is in all languages; that of the reader comes first.
const own = document.querySelector(`section[lang="${root.lang}"]`);
if (own) own.parentElement?.prepend(own);
root.lang = 'en';
delete root.dataset['waiting'];
document.getElementById('again')?.addEventListener('click', () => location.reload());
addEventListener('online', () => location.reload());
// That may have come before this script, and does not come where only the server was away.
setInterval(async () => {
  const answer = await fetch('livez', { cache: 'no-store' }).catch(() => null);
  if (answer?.ok) location.reload();
}, ASK_EVERY_MS);
