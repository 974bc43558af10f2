// The list of evaluation reports, each of which opens as its own page.

import { readReports } from './api.js';
import { element, find } from './dom.js';
import { sendWithRetries } from './retry.js';
import { serverReady } from './server.js';
import { language, words } from './words.js';

/** @import { ReportReply } from './types.js' */

const list = find('reports', HTMLOListElement);

void serverReady();
await showReports();

async function showReports() {
  const { signal } = new AbortController();
  const reports = await sendWithRetries(() => readReports(signal), { photos: [], signal, onProblem: () => {}, onRetry: showReports });
  if (!reports) return;
  list.replaceChildren(...reports.map(card));
  find('none', HTMLDivElement).hidden = reports.length > 0;
}

/** @param {ReportReply} report */
function card(report) {
  const { name, model, truth, protocol, queries, database, created } = report;
  const address = `reports/${encodeURIComponent(name)}/`;
  const link = element('a', { href: address }, words.reportTitle(model, truth));
  // A report's page is sandboxed and cannot read the settings, so its address passes them on.
  for (const click of ['click', 'auxclick']) {
    link.addEventListener(click, () => {
      const theme = document.documentElement.dataset['theme'];
      link.href = `${address}?${new URLSearchParams({ language, ...(theme ? { theme } : {}) })}`;
    });
  }
  return element(
    'li',
    { class: 'report' },
    element(
      'div',
      {},
      element('h2', {}, link),
      element('p', { class: 'note' }, words.reportAbout(name, protocol, queries, database)),
      element('p', { class: 'note' }, words.date(created)),
    ),
    element('dl', { class: 'recalls' }, ...Object.keys(report.recall).map((n) => recallBar(report, n))),
  );
}

/**
 * @param {ReportReply} report
 * @param {string} n
 */
function recallBar({ recall, chance }, n) {
  const bar = element('span', { class: 'share', 'aria-hidden': 'true' });
  bar.style.setProperty('--recall', `${recall[n]}`);
  bar.style.setProperty('--chance', `${chance[n]}`);
  return element(
    'div',
    { title: words.byChance(chance[n] ?? 0) },
    element('dt', {}, `Recall@${n}`),
    element('dd', {}, bar, words.perCent(recall[n] ?? 0), element('span', { class: 'offscreen' }, words.byChance(chance[n] ?? 0))),
  );
}
