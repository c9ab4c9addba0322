import { formatSize, formatSpan } from '../base/quantity.ts';
import { secondMs } from '../base/units.ts';
import type { DrillReport } from '../core/policy/drill-report.ts';
import { clean, counted } from './terminal-text.ts';

/** As exactly as people care: "0.8 s", "12.3 s", "3 min", "2 h 10 min". */
export function took(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return ms < 100 * secondMs ? `${(ms / secondMs).toFixed(1)} s` : formatSpan(ms);
}

export function outcomeWords(outcome: DrillReport['outcome']): string {
  return { passed: 'PASSED', missed: 'OBJECTIVE MISSED', failed: 'FAILED' }[outcome];
}

/** What the drill was of. Texts are of others: not cleaned. */
export function subjectOf({ kind, dataset, where }: DrillReport): string {
  const nothing = kind === 'validation' ? 'of all datasets' : 'made-up data';
  const what = dataset?.name ?? nothing;
  return where === 'sandbox' ? `${kind} (sandbox, like ${what})` : `${kind} ${what}`;
}

export function scopeWords({ scope, snapshot }: DrillReport): string {
  const whole = snapshot === undefined ? '' : ` of ${formatSize(snapshot.bytes)}`;
  switch (scope) {
    case 'all':
      return 'all of it';
    case 'path':
      return 'one path';
    case 'sample':
      return `a random sample${whole}`;
    default:
      return "made-up data of a dataset's shape";
  }
}

/** "2.1 s, target 4 h: met"; a time that was reckoned says so. */
export function againstTarget(
  ms: number | undefined,
  target: number | undefined,
  isReckoned = false,
): string {
  const value = `${isReckoned ? 'about ' : ''}${took(ms)}`;
  if (target === undefined) return `${value}, no target`;
  const isMet = ms !== undefined && ms <= target;
  return `${value}, target ${formatSpan(target)}: ${isMet ? 'met' : 'MISSED'}`;
}

function validationLines({ validation, times }: DrillReport): string[] {
  if (validation === undefined) return [];
  const { snapshots, findings, findingCount, peersSilent, heads } = validation;
  const rest = findingCount - findings.length;
  return [
    `  validated   ${counted(snapshots, 'snapshot')} in ${took(times.verifyMs)}; state ${heads.slice(0, 16)}`,
    ...(peersSilent.length === 0 ? [] : [`  not asked   ${clean(peersSilent.join(', '))}`]),
    ...findings.map(
      ({ check, subject, detail }) =>
        `  found       ${clean(check)}: ${clean(subject)}: ${clean(detail)}`,
    ),
    ...(rest > 0 ? [`              and ${rest} more`] : []),
  ];
}

/** The whole report for a terminal. */
export function reportLines(report: DrillReport): string[] {
  const { times, restored, fidelity, sites, objectives, criteria, snapshot } = report;
  const lines = [
    `Drill of ${clean(subjectOf(report))}: ${outcomeWords(report.outcome)}`,
    ...(snapshot === undefined
      ? []
      : [`  snapshot    ${snapshot.id.slice(0, 8)}, ${scopeWords(report)}`]),
  ];
  if (report.kind === 'validation') lines.push(...validationLines(report));
  else {
    lines.push(
      `  RTO         ${againstTarget(times.rtoMs, objectives.rtoMs, report.isRtoReckoned)}`,
      `  RPO         ${againstTarget(times.rpoMs, objectives.rpoMs)}`,
    );
  }
  if (times.detectMs !== undefined || times.containMs !== undefined) {
    const { detectMs, containMs, recoverMs } = times;
    const parts = [`detected ${took(detectMs)}`, `contained ${took(containMs)}`];
    lines.push(`  after fault ${[...parts, `recovered ${took(recoverMs)}`].join(', ')}`);
  }
  if (report.without !== undefined) lines.push(`  without     ${clean(report.without.join(', '))}`);
  if (times.findMs !== undefined) {
    lines.push(`  found in    ${took(times.findMs)}, first byte after ${took(times.firstByteMs)}`);
  }
  if (restored !== undefined) {
    const { files, bytes, bytesPerSecond, bytesFetched, packsDecoded } = restored;
    const speed = `${formatSize(bytesPerSecond)}/s`;
    const from = sites.length === 0 ? '' : ` from ${clean(sites.join(', '))}`;
    lines.push(
      `  restored    ${took(times.restoreMs)}: ${counted(files, 'file')}, ${formatSize(bytes)}, ${speed}`,
      `  fetched     ${formatSize(bytesFetched)}, ${counted(packsDecoded, 'pack')} decoded${from}`,
    );
  }
  if (fidelity !== undefined) {
    const { entries, chunks } = fidelity;
    const counts = `${counted(entries, 'entry', 'entries')}, ${counted(chunks, 'digest')}`;
    lines.push(`  verified    ${took(times.verifyMs)}: ${counts}`);
  }
  for (const { name, isMet, detail } of criteria) {
    lines.push(`  ${isMet ? 'ok  ' : 'NOT '} ${clean(name)}: ${clean(detail)}`);
  }
  return lines;
}
