import { formatSize, formatSpan } from '../base/quantity.ts';
import type { DrillReport } from '../core/policy/drill-report.ts';
import type { DrillEvidence, ProvenDrills } from './backend.ts';
import { checklist } from './drill-checklist.ts';
import { evidenceMark } from './drill-evidence.ts';
import { pageStyle } from './drill-page-style.ts';
import { day, trendOf } from './drill-trend.ts';
import { againstTarget, outcomeWords, scopeWords, subjectOf, took } from './drill-words.ts';
import { counted } from './terminal-text.ts';

type Drill = ProvenDrills['drills'][number];

/**
 * One page for an auditor, self-contained: what was rehearsed, what it has shown, and the signed statements that
 * prove it. The same evidence always gives the same page, so that `drill verify` can compare them.
 */
export function pageOf(evidence: DrillEvidence, proven: ProvenDrills): string {
  const { cluster } = proven;
  const { createdMs, sinceMs } = evidence;
  const drills = proven.drills
    .filter(({ report }) => report.endedMs >= sinceMs)
    .sort((a, b) => a.report.endedMs - b.report.endedMs);
  const title = `Restore drills of ${cluster.name}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title><style>${pageStyle}</style></head><body>
<header><h1>${escaped(title)}</h1>
<p>${day(sinceMs)} to ${day(createdMs)} (UTC) · cluster id <code>${cluster.id}</code> · made by holdfast ${escaped(evidence.version)}</p>
<p>${summaryWords(drills)}</p></header>
<main>
${datasetSections(drills)}
<section><h2>All drills of this time</h2>${drillTable(drills, evidence)}</section>
<section><h2>What each drill has shown</h2>${drills.toReversed().map(drillDetails).join('\n')}</section>
<section><h2>Checklist</h2>${checklistTable(drills)}</section>
<section><h2>How to check this page</h2>${verifyWords(evidence, proven)}</section>
</main>
${evidenceMark.before}${embedded(evidence)}${evidenceMark.after}
</body></html>
`;
}

/** No text in it can end the element. */
function embedded(evidence: DrillEvidence): string {
  return JSON.stringify(evidence).replaceAll('<', '\\u003c');
}

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function summaryWords(drills: readonly Drill[]): string {
  const count = (outcome: DrillReport['outcome']): number =>
    drills.filter(({ report }) => report.outcome === outcome).length;
  return `<strong>${counted(drills.length, 'drill')}</strong>: ${count('passed')} passed, ${count('missed')} with a missed objective, ${count('failed')} failed.`;
}

function datasetSections(drills: readonly Drill[]): string {
  const real = drills.filter(
    ({ report }) => report.where === 'cluster' && report.kind !== 'validation',
  );
  const byDataset = Map.groupBy(real, ({ report }) => report.dataset?.id ?? '');
  return [...byDataset.values()].map(datasetSection).join('\n');
}

function datasetSection(drills: readonly Drill[]): string {
  const last = drills.at(-1)?.report;
  if (last === undefined) return '';
  const { times, objectives, isRtoReckoned } = last;
  const whole = drills.map(({ report }) => report).filter(({ kind }) => kind === 'dataset');
  const rto = trendOf('RTO', whole, (one) => ({
    value: one.times.rtoMs,
    target: one.objectives.rtoMs,
  }));
  const rpo = trendOf('RPO', whole, (one) => ({
    value: one.times.rpoMs,
    target: one.objectives.rpoMs,
  }));
  return `<section><h2>Dataset ${escaped(last.dataset?.name ?? '')}</h2>
<dl><div><dt>Last drill</dt><dd class="${last.outcome}">${outcomeWords(last.outcome)}, ${day(last.endedMs)}</dd></div>
<div><dt>RTO reached</dt><dd>${againstTarget(times.rtoMs, objectives.rtoMs, isRtoReckoned)}</dd></div>
<div><dt>RPO reached</dt><dd>${againstTarget(times.rpoMs, objectives.rpoMs)}</dd></div>
<div><dt>Drills</dt><dd>${drills.length}, ${intervalWords(drills)}</dd></div></dl>
${rto}${rpo}</section>`;
}

function intervalWords(drills: readonly Drill[]): string {
  const [first, last] = [drills[0], drills.at(-1)];
  if (first === undefined || last === undefined || drills.length < 2) return 'the first one';
  const span = last.report.endedMs - first.report.endedMs;
  return `one every ${formatSpan(span / (drills.length - 1))} on average`;
}

function drillTable(drills: readonly Drill[], evidence: DrillEvidence): string {
  const anchored = new Map(evidence.anchored.map(({ agent, sequence }) => [agent, sequence]));
  const rows = drills.toReversed().map(({ id, agent, sequence, report }) => {
    const isAnchored = sequence <= (anchored.get(agent.key) ?? 0);
    const cells = [
      `<code>${id.slice(0, 8)}</code>`,
      day(report.endedMs),
      escaped(subjectOf(report)),
      escaped(scopeWords(report)),
      `<span class="${report.outcome}">${outcomeWords(report.outcome)}</span>`,
      `${report.isRtoReckoned ? 'about ' : ''}${took(report.times.rtoMs)}`,
      took(report.times.rpoMs),
      `${escaped(agent.name)} (${escaped(agent.site)})`,
      isAnchored ? 'yes' : 'no',
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const titles = [
    'Report',
    'Day',
    'Drill',
    'Scope',
    'Result',
    'RTO',
    'RPO',
    'Signed by',
    'Anchored',
  ];
  return table(titles, rows);
}

function table(titles: readonly string[], rows: readonly string[]): string {
  const head = titles.map((title) => `<th scope="col">${title}</th>`).join('');
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

const authorityWords: Record<DrillReport['authority'], string> = {
  kit: 'the recovery kit',
  shares: 'shares of the recovery kit, put together',
  grant: 'a drill grant',
  none: '-',
};

function drillDetails({ id, report }: Drill): string {
  const { times, restored, fidelity, sites, approvals, authority } = report;
  const facts: [string, string][] = [
    ['Began', new Date(report.startedMs).toISOString()],
    ['Ended', new Date(report.endedMs).toISOString()],
    ['Opened with', authorityWords[authority]],
    ['Approvals', approvalWords(approvals)],
    ['Isolation', report.isolation],
    ['Came from sites', sites.join(', ')],
  ];
  if (report.dataset !== undefined) {
    const { source, sourceSite } = report.dataset;
    facts.push(['Source', `${source} (${sourceSite}); restored at ${report.agent.site}`]);
  }
  if (report.without !== undefined) facts.push(['Done without', report.without.join(', ')]);
  if (times.detectMs !== undefined || times.containMs !== undefined) {
    const { detectMs, containMs, recoverMs } = times;
    facts.push([
      'After the fault',
      `detected ${took(detectMs)}, contained ${took(containMs)}, recovered ${took(recoverMs)}`,
    ]);
  }
  if (restored !== undefined) {
    const { files, bytes, bytesPerSecond } = restored;
    facts.push([
      'Restored',
      `${counted(files, 'file')}, ${formatSize(bytes)} at ${formatSize(bytesPerSecond)}/s`,
    ]);
    facts.push([
      'Time',
      `found ${took(times.findMs)}, first byte ${took(times.firstByteMs)}, restored ${took(times.restoreMs)}, verified ${took(times.verifyMs)}`,
    ]);
  }
  if (fidelity !== undefined) {
    const { entries, chunks, mismatches } = fidelity;
    facts.push([
      'Integrity',
      `${entries} entries, ${chunks} digests read back, ${mismatches} differ`,
    ]);
  }
  const rows = facts.map(
    ([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`,
  );
  const criteria = report.criteria.map(
    ({ name, isMet, detail }) =>
      `<li class="${isMet ? 'passed' : 'failed'}">${isMet ? 'met' : 'NOT met'}: ${escaped(name)} (${escaped(detail)})</li>`,
  );
  return `<details><summary><code>${id.slice(0, 8)}</code> ${escaped(subjectOf(report))}, ${day(report.endedMs)}: ${outcomeWords(report.outcome)}</summary><dl>${rows.join('')}</dl><ul>${criteria.join('')}</ul></details>`;
}

function approvalWords({ needed, by }: DrillReport['approvals']): string {
  if (needed < 2) return 'a restore needs nobody beside who holds the kit or signs the plan';
  const who = by.length === 0 ? 'operators' : `of ${by.join(', ')}`;
  return `a restore by plan needs ${needed} ${who}`;
}

function checklistTable(drills: readonly Drill[]): string {
  const rows = checklist(drills.map(({ report }) => report)).map(
    ({ source, asks, found }) =>
      `<tr><td>${escaped(source)}</td><td>${escaped(asks)}</td><td>${escaped(found)}</td></tr>`,
  );
  const note =
    '<p>The right column says what is in the reports, and no more. Whether that is enough is for the auditor to judge.</p>';
  return table(['Rule', 'What it asks', 'What these drills show'], rows) + note;
}

function verifyWords({ anchored }: DrillEvidence, { cluster, drills }: ProvenDrills): string {
  const signers = new Map(drills.map(({ agent }) => [agent.key, agent]));
  const keys = [...signers.values()].map(
    ({ key, name }) => `<li>${escaped(name)}: <code>${key}</code></li>`,
  );
  return `<p>The page carries the signed statements that it was made of. On any machine, without a network:</p>
<pre>holdfast drill verify THIS-FILE --cluster-id ${cluster.id}</pre>
<p>It checks every signature from the genesis of the cluster on, that no report of an agent is missing between others, and that this page is, to the letter, what they say; else it exits with 23.
Take the cluster id from the recovery kit or from an agent that you trust. Signed by:</p><ul>${keys.join('')}</ul>
<p>“Anchored” (${counted(anchored.length, 'agent')}): the cluster's control log fixes the report; that is the word of who has made this page. Times are by the clocks of the agents.</p>`;
}
