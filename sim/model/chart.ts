import { type Axis, type Ruler, rulerOf } from './chart-axis.ts';
import type { Result } from './csv.ts';

export type Point = {
  readonly x: number;
  readonly y: number;
  /** A bar around the point. */
  readonly low?: number;
  readonly high?: number;
};

export type Line = {
  readonly name: string;
  readonly points: readonly Point[];
  /** `points`: marks without a line, for what was counted beside what was computed. */
  readonly look?: 'line' | 'dashed' | 'points';
  /** Of the palette, counted from 0; without it, the place among the lines. */
  readonly colour?: number;
};

export type Chart = {
  readonly title: string;
  readonly subtitle?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
};

const width = 760;
const plot = { left: 112, right: 32, height: 300 };
const legendColumns = 2;
const legendRow = 20;

/** Colours told apart by most colour-blind readers (Okabe and Ito), darker on light paper. */
const style = `
text{font:13px system-ui,sans-serif;fill:#222}
.title{font-size:17px;font-weight:600}.soft{fill:#555}
.grid{stroke:#ddd}.frame{stroke:#888;fill:none}.paper{fill:#fff}
.c0{--c:#0067a5}.c1{--c:#c44601}.c2{--c:#007a5a}.c3{--c:#a3297d}.c4{--c:#8a6d00}.c5{--c:#5b5b5b}
.line{fill:none;stroke:var(--c);stroke-width:2.2}.dashed{stroke-dasharray:7 5}
.mark{fill:var(--c)}.bar{stroke:var(--c);stroke-width:1.5}
@media (prefers-color-scheme:dark){
text{fill:#eee}.soft{fill:#aaa}.grid{stroke:#333}.frame{stroke:#777}.paper{fill:#16181c}
.c0{--c:#56b4e9}.c1{--c:#ff9752}.c2{--c:#2cc79a}.c3{--c:#e58ac5}.c4{--c:#e8c547}.c5{--c:#b5b5b5}}
`;

type Frame = { readonly top: number; readonly x: Ruler; readonly y: Ruler };

/** A line chart as an SVG file that needs nothing else and follows light and dark mode. */
export function chartFile(name: string, chart: Chart): Result {
  const legendRows = Math.ceil(chart.lines.length / legendColumns);
  const top = 70 + legendRows * legendRow;
  const height = top + plot.height + 58;
  const points = chart.lines.flatMap((line) => line.points);
  const frame: Frame = {
    top,
    x: rulerOf(
      chart.x,
      points.map(({ x }) => x),
    ),
    y: rulerOf(
      chart.y,
      points.flatMap(({ y, low, high }) => [low ?? y, high ?? y]),
    ),
  };
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(chart.title)}</title><style>${style}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="20" y="28">${escaped(chart.title)}</text>`,
    `<text class="soft" x="20" y="48">${escaped(chart.subtitle ?? '')}</text>`,
    ...chart.lines.map((line, i) => legendEntry(line, i)),
    ...axes(chart, frame),
    ...chart.lines.flatMap((line, i) => drawn(line, colourOf(line, i), frame)),
    '</svg>',
  ];
  return { name, text: `${parts.filter((part) => part !== '').join('\n')}\n` };
}

function legendEntry(line: Line, index: number): string {
  const x = 20 + (index % legendColumns) * ((width - 40) / legendColumns);
  const y = 70 + Math.floor(index / legendColumns) * legendRow;
  const sample =
    line.look === 'points'
      ? `<circle class="mark" cx="${x + 13}" cy="${y - 4}" r="4"/>`
      : `<path class="${lineClass(line)}" d="M${x} ${y - 4}h26"/>`;
  const text = `<text x="${x + 34}" y="${y}">${escaped(line.name)}</text>`;
  return `<g class="${colourOf(line, index)}">${sample}${text}</g>`;
}

function axes({ x, y }: Chart, frame: Frame): string[] {
  const bottom = frame.top + plot.height;
  const right = width - plot.right;
  const middle = frame.top + plot.height / 2;
  return [
    ...frame.x.ticks.map(({ value, text }) => {
      const at = xOf(frame, value);
      const label = `<text x="${at}" y="${bottom + 20}" text-anchor="middle">${escaped(text)}</text>`;
      return `<path class="grid" d="M${at} ${frame.top}V${bottom}"/>${label}`;
    }),
    ...frame.y.ticks.map(({ value, text }) => {
      const at = yOf(frame, value);
      const label = `<text x="${plot.left - 8}" y="${at + 4}" text-anchor="end">${escaped(text)}</text>`;
      return `<path class="grid" d="M${plot.left} ${at}H${right}"/>${label}`;
    }),
    `<path class="frame" d="M${plot.left} ${frame.top}V${bottom}H${right}"/>`,
    `<text class="soft" x="${(plot.left + right) / 2}" y="${bottom + 44}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text class="soft" transform="translate(16 ${middle})rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
  ];
}

function drawn(line: Line, colour: string, frame: Frame): string[] {
  const points = line.points.map((point) => ({
    ...point,
    left: xOf(frame, point.x),
    down: yOf(frame, point.y),
  }));
  const path = points.map(({ left, down }, i) => `${i === 0 ? 'M' : 'L'}${left} ${down}`).join('');
  const hasMarks = line.look === 'points' || points.length <= 12;
  return [
    `<g class="${colour}">`,
    line.look === 'points' ? '' : `<path class="${lineClass(line)}" d="${path}"/>`,
    ...points.map(({ left, low, high }) =>
      low === undefined || high === undefined
        ? ''
        : `<path class="bar" d="M${left} ${yOf(frame, low)}V${yOf(frame, high)}"/>`,
    ),
    ...(hasMarks ? points : []).map(
      ({ left, down }) => `<circle class="mark" cx="${left}" cy="${down}" r="3.5"/>`,
    ),
    '</g>',
  ];
}

function lineClass({ look }: Line): string {
  return look === 'dashed' ? 'line dashed' : 'line';
}

function colourOf({ colour }: Line, index: number): string {
  return `c${(colour ?? index) % 6}`;
}

function xOf(frame: Frame, value: number): number {
  const share = frame.x.at(value);
  return rounded(plot.left + share * (width - plot.left - plot.right));
}

function yOf(frame: Frame, value: number): number {
  const share = Math.max(0, frame.y.at(value));
  return rounded(frame.top + (1 - share) * plot.height);
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
