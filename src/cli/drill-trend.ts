import type { DrillReport } from '../core/policy/drill-report.ts';
import { took } from './drill-words.ts';

const size = { width: 640, height: 150, left: 60, right: 12, top: 14, bottom: 24 } as const;

type Point = { readonly atMs: number; readonly valueMs: number; readonly report: DrillReport };

/** One measure of a dataset's drills over time, with its target, as SVG. Empty below two points. */
export function trendOf(
  title: string,
  drills: readonly DrillReport[],
  pick: (report: DrillReport) => { value: number | undefined; target: number | undefined },
): string {
  const points = drills.flatMap((report): Point[] => {
    const { value } = pick(report);
    return value === undefined ? [] : [{ atMs: report.endedMs, valueMs: value, report }];
  });
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 2) return '';
  const target = pick(last.report).target;
  const most = Math.max(1, ...points.map(({ valueMs }) => valueMs));
  // A target far above would flatten the line: it is named instead of drawn.
  const isTargetShown = target !== undefined && target <= most * 4;
  const top = Math.max(most, isTargetShown ? target : 0) * 1.1;
  const x = (atMs: number): number =>
    size.left +
    ((atMs - first.atMs) / Math.max(1, last.atMs - first.atMs)) *
      (size.width - size.left - size.right);
  const y = (ms: number): number =>
    size.height - size.bottom - (ms / top) * (size.height - size.top - size.bottom);
  const at = (value: number): string => value.toFixed(1);
  const path = points.map(({ atMs, valueMs }) => `${at(x(atMs))},${at(y(valueMs))}`).join(' ');
  const dots = points.map(
    ({ atMs, valueMs, report }) =>
      `<circle cx="${at(x(atMs))}" cy="${at(y(valueMs))}" r="3.5" class="${report.outcome}"><title>${day(atMs)}: ${took(valueMs)}</title></circle>`,
  );
  const line = isTargetShown
    ? `<line x1="${size.left}" x2="${size.width - size.right}" y1="${at(y(target))}" y2="${at(y(target))}" class="target"/><text x="${size.width - size.right}" y="${at(y(target) - 4)}" text-anchor="end">target ${took(target)}</text>`
    : '';
  return `<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${title}: from ${took(first.valueMs)} to ${took(last.valueMs)}">
<line x1="${size.left}" x2="${size.width - size.right}" y1="${size.height - size.bottom}" y2="${size.height - size.bottom}" class="axis"/>
<text x="${size.left - 6}" y="${at(y(most))}" text-anchor="end">${took(most)}</text><text x="${size.left - 6}" y="${size.height - size.bottom}" text-anchor="end">0</text>
<text x="${size.left}" y="${size.height - 6}">${day(first.atMs)}</text><text x="${size.width - size.right}" y="${size.height - 6}" text-anchor="end">${day(last.atMs)}</text>
${line}<polyline points="${path}"/>${dots.join('')}
</svg></figure>`;
}

/** Always UTC: a page must read the same wherever it is made again. */
export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
