import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** One place where a mutant differs from what is shipped. */
export type Patch = {
  /** Below src. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly old: string;
  readonly new: string;
};

const root = new URL('../../', import.meta.url).pathname;

/** How often a patch's text stands in what is shipped: anything but once is an error. */
export function fits({ file, old }: Patch): number {
  return readFileSync(join(root, 'src', file), 'utf8').split(old).length - 1;
}

/** A copy of folders of src with a bug in it, in a directory of its own that goes with it. */
export class MutantBuild implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'holdfast-mutant-'));

  /** @throws Error when an old text is not found exactly once: then the shipped code has changed */
  constructor(patches: readonly Patch[], folders: readonly string[] = ['base', 'core']) {
    for (const folder of folders) {
      cpSync(join(root, 'src', folder), join(this.#directory, 'src', folder), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(this.#directory, 'node_modules'));
    writeFileSync(join(this.#directory, 'package.json'), '{ "type": "module" }');
    for (const patch of patches) this.#apply(patch);
    // One class of errors for the simulator and the mutant: each must know the other's.
    for (const shared of ['base/assert.ts', 'core/errors.ts']) {
      const original = pathToFileURL(join(root, 'src', shared)).href;
      writeFileSync(
        join(this.#directory, 'src', shared),
        `export * from ${JSON.stringify(original)};\n`,
      );
    }
  }

  /** The module at a path below src, as the mutant has it. */
  async load<Module>(path: string): Promise<Module> {
    const url = pathToFileURL(join(this.#directory, 'src', path)).href;
    return (await import(/* @vite-ignore */ url)) as Module;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #apply({ file, old, new: replacement }: Patch): void {
    const path = join(this.#directory, 'src', file);
    const parts = readFileSync(path, 'utf8').split(old);
    if (parts.length !== 2) {
      this[Symbol.dispose]();
      throw new Error(`${file} has ${parts.length - 1} times, not once: ${old}`);
    }
    writeFileSync(path, parts.join(replacement));
  }
}

/** What the sources are: the commit, and whether something was changed since. A seed means nothing without it. */
export function commitId(): string {
  const git = (...words: string[]): string =>
    execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--', 'src', 'sim') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${isChanged ? ' and changes' : ''}`;
  } catch {
    return 'of no repository';
  }
}
