import type { Writable } from 'node:stream';
import { StreamWriter } from './stream-writer.ts';
import { type Cell, type Column, tableLines } from './table.ts';
import { clean, type Style, styled } from './terminal-text.ts';

export type OutputOptions = {
  stdout: Writable;
  stderr: Writable;
  /** Standard output is a terminal. */
  isTty: boolean;
  isColored: boolean;
  isJson: boolean;
  isQuiet: boolean;
  columns: () => number;
};

const eraseLine = '\r\u001b[2K';

/** Everything that a command says: results on standard output, remarks and errors on standard error. */
export class Output {
  readonly isTty: boolean;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  readonly #isColored: boolean;
  readonly #columns: () => number;
  readonly #out: StreamWriter;
  readonly #err: StreamWriter;
  #isLineDrawn = false;

  constructor(options: OutputOptions) {
    this.isTty = options.isTty;
    this.isJson = options.isJson;
    this.isQuiet = options.isQuiet;
    this.#isColored = options.isColored;
    this.#columns = options.columns;
    this.#out = new StreamWriter(options.stdout, 'standard output');
    this.#err = new StreamWriter(options.stderr, 'standard error');
  }

  /** Columns of the terminal. */
  get columns(): number {
    return this.#columns();
  }

  /** Nobody reads standard output any more. */
  get isGone(): boolean {
    return this.#out.isGone;
  }

  /** A result for people. Texts of others must have been cleaned. */
  async print(...lines: string[]): Promise<void> {
    await this.#clearLine();
    await this.#out.write(lines.map((line) => `${line}\n`).join(''));
  }

  async table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Promise<void> {
    await this.print(...tableLines(columns, rows, { isColored: this.#isColored }));
  }

  /** A result for programs: one line. */
  async json(value: object): Promise<void> {
    await this.#out.write(`${JSON.stringify(value)}\n`);
  }

  async bytes(data: Uint8Array): Promise<void> {
    await this.#out.write(data);
  }

  /** A remark for people, which --quiet leaves out. */
  async remark(line: string): Promise<void> {
    if (!this.isQuiet && !this.isJson) await this.complain(clean(line));
  }

  /** Goes to standard error whatever the options. */
  async complain(...lines: string[]): Promise<void> {
    await this.#clearLine();
    await this.#err.write(lines.map((line) => `${line}\n`).join(''));
  }

  async complainJson(value: object): Promise<void> {
    await this.#err.write(`${JSON.stringify(value)}\n`);
  }

  /** Replaces the line at the bottom of the terminal; the next print goes above it. */
  async redraw(line: string): Promise<void> {
    this.#isLineDrawn = true;
    await this.#out.write(eraseLine + line);
  }

  /** Takes the line at the bottom away. */
  async endRedraw(): Promise<void> {
    await this.#clearLine();
  }

  style(text: string, style: Style): string {
    return this.#isColored ? styled(text, style) : text;
  }

  async flush(): Promise<void> {
    await this.#clearLine();
    await this.#out.flush();
    await this.#err.flush();
  }

  async #clearLine(): Promise<void> {
    if (!this.#isLineDrawn) return;
    this.#isLineDrawn = false;
    await this.#out.write(eraseLine);
  }
}
