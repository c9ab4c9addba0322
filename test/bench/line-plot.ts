import type { Curve } from './curve.ts';

const [width, height, margin] = [720, 420, 60];
const colours = ['#1f5f8b', '#c0722e', '#3a7d44', '#7a4a8c'];

/** Both axes logarithmic. */
export function linePlot({ title, columns, points }: Curve): string {
  const [head, ...series] = columns;
  const xs = points.map(([x = 1]) => x);
  const ys = points.flatMap(([, ...values]) => values).filter((value) => value > 0);
  const x = axis(xs, margin, width - 20);
  const y = axis(ys, height - margin, 40);
  const lines = series.map((name, i) => {
    const path = points
      .filter((point) => (point[i + 1] ?? 0) > 0)
      .map((point) => `${x(point[0] ?? 1).toFixed(1)},${y(point[i + 1] ?? 1).toFixed(1)}`)
      .join(' ');
    const colour = colours[i % colours.length];
    const label = `<text x="${margin + 10}" y="${56 + 16 * i}" fill="${colour}">${name}</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>\n${label}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="12" y="22" font-size="15">${title}</text>
<path d="M${margin},36V${height - margin}H${width - 20}" fill="none" stroke="#444"/>
${xs.map((value) => `<text x="${x(value)}" y="${height - margin + 18}" text-anchor="middle">${label(value)}</text>`).join('\n')}
<text x="${width / 2}" y="${height - 14}" text-anchor="middle">${head}</text>
${ticks(ys)
  .map(
    (value) => `<text x="${margin - 6}" y="${y(value)}" text-anchor="end">${label(value)}</text>`,
  )
  .join('\n')}
${lines.join('\n')}
</svg>
`;
}

function axis(values: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  const span = high - low || 1;
  return (value) => from + ((Math.log(value) - low) / span) * (to - from);
}

/** The powers of ten between the smallest and the largest value, or these two. */
function ticks(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const found: number[] = [];
  for (let power = 10 ** Math.ceil(Math.log10(low)); power <= high; power *= 10) found.push(power);
  return found.length > 1 ? found : [low, high];
}

function label(value: number): string {
  for (const [size, unit] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(2))}${unit}`;
  }
  return String(Number(value.toPrecision(2)));
}
