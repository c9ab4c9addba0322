import { formatElapsed, formatSize } from '../base/quantity.ts';
import { secondMs } from '../base/units.ts';
import type { Output } from './output.ts';
import { clean, counted, shortenStart } from './terminal-text.ts';

/** How far a job has come. `done` and `total` count `unit`. */
export type ProgressSample = {
  unit: 'bytes' | 'packs' | 'shards';
  done: number;
  /** Undefined while it is still being found out. */
  total?: number;
  files?: { done: number; total?: number };
  /** What is being worked on, for people. */
  current: string;
  /** Further fields of the JSON status line. */
  json: Readonly<Record<string, unknown>>;
};

type Mode = 'redraw' | 'lines' | 'json' | 'none';

// Ten frames a second look smooth and cost nothing.
const redrawIntervalMs = 100;
const jsonIntervalMs = secondMs;
const barWidth = 20;
/** Less of a path tells nothing. */
const pathWidthMin = 8;
/** The rate is that of the last seconds: long enough to be calm, short enough to tell a stall. */
const rateWindowMs = 15 * secondMs;
// Below this a rate is noise and an ETA a lie.
const rateSpanMinMs = 500;

/** Shows a running job: a redrawn line, a line now and then, JSON lines, or nothing. */
export class Progress {
  readonly #output: Output;
  readonly #nowMs: () => number;
  readonly #mode: Mode;
  readonly #intervalMs: number;
  readonly #startMs: number;
  readonly #samples: { atMs: number; done: number }[] = [];
  #shownMs: number;

  /** `intervalMs`: between lines, when they are not redrawn. */
  constructor(
    output: Output,
    options: { nowMs: () => number; intervalMs: number | undefined; defaultIntervalMs: number },
  ) {
    this.#output = output;
    this.#nowMs = options.nowMs;
    this.#mode = modeOf(output);
    this.#intervalMs =
      this.#mode === 'redraw'
        ? redrawIntervalMs
        : (options.intervalMs ??
          (this.#mode === 'json' ? jsonIntervalMs : options.defaultIntervalMs));
    this.#startMs = options.nowMs();
    // The first frame is drawn at once; the first line only when the job turns out to be long.
    this.#shownMs = this.#mode === 'lines' ? this.#startMs : Number.NEGATIVE_INFINITY;
  }

  async update(sample: ProgressSample): Promise<void> {
    if (this.#mode === 'none') return;
    const nowMs = this.#nowMs();
    this.#remember(nowMs, sample.done);
    if (nowMs - this.#shownMs < this.#intervalMs) return;
    this.#shownMs = nowMs;
    if (this.#mode === 'json') await this.#output.json(this.#jsonLine(sample, nowMs));
    else if (this.#mode === 'redraw') await this.#output.redraw(this.#frame(sample, nowMs));
    else await this.#output.print(this.#words(sample, nowMs).join('  '));
  }

  async end(): Promise<void> {
    await this.#output.endRedraw();
  }

  #remember(atMs: number, done: number): void {
    const samples = this.#samples;
    // A tenth of the window between samples bounds how many are kept.
    const previous = samples.at(-1);
    if (previous !== undefined && atMs - previous.atMs < rateWindowMs / 100) return;
    samples.push({ atMs, done });
    while (samples.length > 2 && atMs - (samples[0]?.atMs ?? atMs) > rateWindowMs) samples.shift();
  }

  /** Units a second, when enough has been seen. */
  #rate(sample: ProgressSample, nowMs: number): number | undefined {
    const first = this.#samples[0];
    if (first === undefined || nowMs - first.atMs < rateSpanMinMs) return undefined;
    return Math.max(0, ((sample.done - first.done) * secondMs) / (nowMs - first.atMs));
  }

  #remainingMs(sample: ProgressSample, nowMs: number): number | undefined {
    const rate = this.#rate(sample, nowMs);
    if (sample.total === undefined || rate === undefined || rate === 0) return undefined;
    return (Math.max(0, sample.total - sample.done) / rate) * secondMs;
  }

  #words(sample: ProgressSample, nowMs: number): string[] {
    const words = [formatElapsed(nowMs - this.#startMs)];
    const share = shareOf(sample);
    if (share !== undefined) words.push(`${(share * 100).toFixed(1)}%`);
    words.push(amounts(sample));
    if (sample.files !== undefined) {
      const { done, total } = sample.files;
      words.push(
        total === undefined ? counted(done, 'file') : `${done} of ${counted(total, 'file')}`,
      );
    }
    const rate = this.#rate(sample, nowMs);
    if (rate !== undefined) words.push(rateText(sample, rate));
    const remaining = this.#remainingMs(sample, nowMs);
    if (remaining !== undefined) words.push(`ETA ${formatElapsed(remaining)}`);
    return words;
  }

  #frame(sample: ProgressSample, nowMs: number): string {
    const share = shareOf(sample);
    const full = Math.round((share ?? 0) * barWidth);
    const bar = `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}]`;
    const words = this.#words(sample, nowMs);
    const head = share === undefined ? words.join('  ') : [bar, ...words].join('  ');
    // The last column stays free: some terminals wrap when it is written.
    const width = this.#output.columns - 1;
    if (head.length > width) return head.slice(0, width);
    const room = width - head.length - 2;
    if (room < pathWidthMin || sample.current === '') return head;
    return `${head}  ${shortenStart(clean(sample.current), room)}`;
  }

  #jsonLine(sample: ProgressSample, nowMs: number): object {
    const remaining = this.#remainingMs(sample, nowMs);
    return {
      message_type: 'status',
      seconds_elapsed: Math.round((nowMs - this.#startMs) / secondMs),
      ...(remaining !== undefined && { seconds_remaining: Math.round(remaining / secondMs) }),
      percent_done: shareOf(sample) ?? 0,
      ...sample.json,
    };
  }
}

function modeOf(output: Output): Mode {
  if (output.isQuiet) return 'none';
  if (output.isJson) return 'json';
  return output.isTty ? 'redraw' : 'lines';
}

/** Never above 1: files grow while they are read. */
function shareOf({ done, total }: ProgressSample): number | undefined {
  if (total === undefined) return undefined;
  return total === 0 ? 1 : Math.min(1, done / total);
}

function amounts({ unit, done, total }: ProgressSample): string {
  const show = unit === 'bytes' ? formatSize : (count: number) => counted(count, unit.slice(0, -1));
  if (total === undefined) return show(done);
  return unit === 'bytes' ? `${show(done)} of ${show(total)}` : `${done} of ${show(total)}`;
}

function rateText({ unit }: ProgressSample, rate: number): string {
  return unit === 'bytes' ? `${formatSize(Math.round(rate))}/s` : `${rate.toFixed(1)} ${unit}/s`;
}
