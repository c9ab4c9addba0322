import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { RoundReport } from './round.ts';

/** Which program was tried: the hash of its source, as git knows it. */
export type StoredReport = RoundReport & { readonly build: string };

/** Reports of rounds, one a line, so that a run can be stopped and taken up again. */
export class ReportFile {
  readonly directory: string;
  readonly #path: string;

  constructor(directory: string) {
    this.directory = resolve(directory);
    mkdirSync(this.directory, { recursive: true });
    this.#path = join(this.directory, 'rounds.jsonl');
  }

  add(report: StoredReport): void {
    // One write: several processes append to one file.
    appendFileSync(this.#path, `${JSON.stringify(report)}\n`);
  }

  read(): StoredReport[] {
    if (!existsSync(this.#path)) return [];
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as StoredReport);
  }

  keep(name: string, value: object | string): void {
    const text = typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`;
    writeFileSync(join(this.directory, name), text);
  }
}
