import type { Line } from './report.ts';

const lineHeight = 26;
const left = 500;
const width = 1030;
/** Ratio at the right end; longer bars are cut and say so. */
const ratioMax = 1.5;

/** A bar for each row: how much ours takes of what theirs takes, with the goal as a mark. */
export function plot(lines: readonly Line[]): string {
  const x = (ratio: number): number =>
    left + (Math.min(ratio, ratioMax) / ratioMax) * (width - left - 60);
  const height = 56 + lines.length * lineHeight;
  const bars = lines.map((line, i) => bar(line, 44 + i * lineHeight, x)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="12" y="22" font-size="15">Ours / theirs: shorter is better. The mark is the goal.</text>
<line x1="${x(1)}" y1="32" x2="${x(1)}" y2="${height - 8}" stroke="#888" stroke-dasharray="4 3"/>
<text x="${x(1) + 4}" y="40" fill="#666" font-size="11">equal</text>
${bars}
</svg>
`;
}

function bar(
  { row, opponent, ratio, goal }: Line,
  y: number,
  x: (ratio: number) => number,
): string {
  const isGood = ratio <= (goal ?? 1);
  const title = `${row.title} (${opponent})`.replaceAll('&', '&amp;');
  const mark =
    goal === undefined
      ? ''
      : `<line x1="${x(goal)}" y1="${y}" x2="${x(goal)}" y2="${y + 18}" stroke="#000" stroke-width="2"/>`;
  return `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${title}</text>
<rect x="${left}" y="${y + 2}" width="${x(ratio) - left}" height="14" fill="${isGood ? '#3a7d44' : '#c0722e'}"/>
${mark}
<text x="${x(ratio) + 6}" y="${y + 14}">${ratio.toFixed(2)}</text>`;
}
