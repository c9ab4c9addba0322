import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Restored, Result } from './contender.ts';
import { inSequence, type Measured, measure, plainEnvironment } from './measure.ts';

export type ResticOptions = {
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Repositories on as many SFTP servers, one after another, by this command; a local one without it. */
  readonly sftp?: { readonly command: string; readonly copies: number };
};

/** restic with its defaults. */
export class Restic implements Contender {
  readonly name = 'restic';
  readonly #options: ResticOptions;

  constructor(options: ResticOptions) {
    this.#options = options;
  }

  get #folders(): string[] {
    const { directory, sftp } = this.#options;
    return Array.from({ length: sftp?.copies ?? 1 }, (_, i) => join(directory, `restic-${i}`));
  }

  get #environment(): Record<string, string> {
    const cache = join(this.#options.directory, 'restic-cache');
    return { RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: cache };
  }

  #arguments(folder: string, args: readonly string[]): string[] {
    const { sftp } = this.#options;
    if (sftp === undefined) return ['-r', folder, ...args];
    return ['-r', `sftp:bench:${folder}`, '-o', `sftp.command=${sftp.command}`, ...args];
  }

  async init(): Promise<void> {
    for (const folder of this.#folders) {
      mkdirSync(join(folder, '..'), { recursive: true });
      execFileSync('restic', this.#arguments(folder, ['init', '-q']), {
        env: { ...plainEnvironment(), ...this.#environment },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    }
  }

  #run(folder: string, args: readonly string[]): Promise<Measured> {
    const { signal } = this.#options;
    const env = this.#environment;
    return measure({ command: 'restic', args: this.#arguments(folder, args), env, signal });
  }

  async backup(paths: readonly string[]): Promise<Result> {
    const before = sizeOf(this.#folders[0] as string);
    const parts: Measured[] = [];
    for (const folder of this.#folders) {
      parts.push(await this.#run(folder, ['backup', '-q', ...paths]));
    }
    return { ...inSequence(parts), bytesAdded: sizeOf(this.#folders[0] as string) - before };
  }

  async restore(target: string, onlyFile?: string): Promise<Restored> {
    const only = onlyFile === undefined ? [] : ['--include', onlyFile];
    const args = ['restore', '-q', 'latest', '--target', target, ...only];
    const result = await this.#run(this.#folders[0] as string, args);
    return { ...result, placeOf: (path) => join(target, path) };
  }

  check(): Promise<Result> {
    return this.#run(this.#folders[0] as string, ['check', '-q', '--read-data']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
    const cache = join(this.#options.directory, 'restic-cache');
    rmSync(cache, { recursive: true, force: true });
  }
}

/** Bytes of all files of a repository. */
export function sizeOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
