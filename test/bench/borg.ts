import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Restored, Result } from './contender.ts';
import { type Measured, measure, plainEnvironment } from './measure.ts';
import { sizeOf } from './restic.ts';

/** borg with zstd at its level 3 and its fastest encryption. */
export class Borg implements Contender {
  readonly name = 'borg';
  readonly #directory: string;
  readonly #signal: AbortSignal;
  #archives = 0;

  constructor({ directory, signal }: { directory: string; signal: AbortSignal }) {
    this.#directory = directory;
    this.#signal = signal;
  }

  get #folder(): string {
    return join(this.#directory, 'borg');
  }

  get #environment(): Record<string, string> {
    return {
      BORG_PASSPHRASE: 'bench',
      BORG_BASE_DIR: join(this.#directory, 'borg-base'),
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    };
  }

  async init(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    execFileSync('borg', ['init', '-e', 'repokey-blake2', this.#folder], {
      env: { ...plainEnvironment(), ...this.#environment },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  }

  #run(args: readonly string[], cwd?: string): Promise<Measured> {
    return measure({
      command: 'borg',
      args,
      env: this.#environment,
      signal: this.#signal,
      ...(cwd !== undefined && { cwd }),
    });
  }

  async backup(paths: readonly string[]): Promise<Result> {
    const before = sizeOf(this.#folder);
    const archive = `${this.#folder}::${++this.#archives}`;
    const result = await this.#run(['create', '-C', 'zstd,3', archive, ...paths]);
    return { ...result, bytesAdded: sizeOf(this.#folder) - before };
  }

  async restore(target: string, onlyFile?: string): Promise<Restored> {
    mkdirSync(target, { recursive: true });
    const only = onlyFile === undefined ? [] : [onlyFile.slice(1)];
    const archive = `${this.#folder}::${this.#archives}`;
    const result = await this.#run(['extract', archive, ...only], target);
    return { ...result, placeOf: (path) => join(target, path) };
  }

  check(): Promise<Result> {
    return this.#run(['check', '--verify-data', this.#folder]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(join(this.#directory, 'borg-base'), { recursive: true, force: true });
  }
}
