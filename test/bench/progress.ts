import { formatElapsed } from '../../src/base/quantity.ts';
import type { Result } from './contender.ts';

const barWidth = 30;

/** A bar on a terminal, a line for each step elsewhere; on standard error. */
export class BenchProgress {
  readonly #steps: number;
  readonly #started = performance.now();
  readonly #isTty = process.stderr.isTTY === true;
  #done = 0;
  #current = '';

  /** @param steps how many there will be, about. */
  constructor(steps: number) {
    this.#steps = Math.max(1, steps);
  }

  step(words: string): void {
    this.#current = words;
    if (this.#isTty) this.#draw();
  }

  told(step: string, contender: string, result: Result): void {
    this.#done++;
    const { seconds, cpuSeconds, serverPeakBytes, bytesAdded, foreignCores, loopDelayMs } = result;
    const words = [
      `${step.padEnd(15)} ${contender.padEnd(9)}`,
      `${seconds.toFixed(2).padStart(8)} s`,
      `${cpuSeconds.toFixed(2).padStart(8)} s CPU`,
      `${(serverPeakBytes / 1e6).toFixed(0).padStart(5)} MB`,
      bytesAdded === undefined ? '' : `${(bytesAdded / 1e6).toFixed(1)} MB added`,
      loopDelayMs === undefined ? '' : `loop p99 ${loopDelayMs.toFixed(1)} ms`,
      foreignCores > 0.1 ? `(others: ${foreignCores.toFixed(2)} cores)` : '',
    ];
    this.#clear();
    console.error(words.filter((word) => word !== '').join('  '));
    if (this.#isTty) this.#draw();
  }

  end(): void {
    this.#clear();
  }

  #draw(): void {
    const share = Math.min(1, this.#done / this.#steps);
    const bar = '#'.repeat(Math.round(barWidth * share)).padEnd(barWidth, '.');
    const elapsed = formatElapsed(performance.now() - this.#started);
    const line = `[${bar}] ${this.#done}/${this.#steps}  ${elapsed}  ${this.#current}`;
    const columns = process.stderr.columns ?? 80;
    process.stderr.write(`\r\x1b[K${line.slice(0, columns - 1)}`);
  }

  #clear(): void {
    if (this.#isTty) process.stderr.write('\r\x1b[K');
  }
}
