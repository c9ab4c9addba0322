import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Opponent } from './arguments.ts';
import { Borg } from './borg.ts';
import type { Contender, Restored, Result } from './contender.ts';
import { type Corpus, warm } from './corpus.ts';
import { Holdfast } from './holdfast.ts';
import { untilIdle } from './measure.ts';
import type { BenchProgress } from './progress.ts';
import { Restic } from './restic.ts';
import { stepKey } from './rows.ts';
import { differences } from './same-files.ts';
import type { SftpServer } from './sftp-server.ts';

const touchMemory = fileURLToPath(new URL('./touch-memory.mjs', import.meta.url));

export type SessionOptions = {
  readonly corpus: Corpus;
  readonly work: string;
  readonly against: readonly Opponent[];
  /** Steps that are wanted; others run only where these need them. */
  readonly wants: (step: string) => boolean;
  readonly settleS: number;
  readonly sftp: SftpServer | undefined;
  readonly progress: BenchProgress;
  readonly signal: AbortSignal;
};

type Act = (contender: Contender) => Promise<Result>;

/** All runs of one session: each step is done by one tool right after the other, the first of them in turn. */
export class Session {
  readonly results = new Map<string, Result[]>();
  readonly #options: SessionOptions;
  #run = 0;
  #restores = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    await this.#file();
    await this.#tree();
    await this.#lossy();
    await this.#fiveSites();
    this.#run++;
  }

  #wantsAny(...steps: string[]): boolean {
    return steps.some(this.#options.wants);
  }

  /** With repositories of their own for the length of `work`. */
  async #with(
    contenders: readonly Contender[],
    work: (turn: readonly Contender[]) => Promise<void>,
  ): Promise<void> {
    await using stack = new AsyncDisposableStack();
    for (const contender of contenders) {
      stack.use(contender);
      await contender.init();
    }
    const first = this.#run % contenders.length;
    await work([...contenders.slice(first), ...contenders.slice(0, first)]);
  }

  #local(): Contender[] {
    const { against, signal } = this.#options;
    const directory = join(this.#options.work, `run-${this.#run}-${this.#restores++}`);
    const others = against.map((name) =>
      name === 'restic' ? new Restic({ directory, signal }) : new Borg({ directory, signal }),
    );
    return [new Holdfast({ sites: 1, surviveSites: 0, signal }), ...others];
  }

  async #step(name: string, turn: readonly Contender[], act: Act): Promise<void> {
    const { progress, settleS, signal } = this.#options;
    for (const contender of turn) {
      signal.throwIfAborted();
      progress.step(`${name} · ${contender.name}`);
      warm([this.#options.corpus.file, this.#options.corpus.tree]);
      execFileSync(process.execPath, [touchMemory]);
      await untilIdle(settleS, signal);
      const result = await act(contender);
      const key = stepKey(name, contender.name);
      this.results.set(key, [...(this.results.get(key) ?? []), result]);
      progress.told(name, contender.name, result);
    }
  }

  async #file(): Promise<void> {
    const { corpus } = this.#options;
    if (!this.#wantsAny('file-first', 'file-changed', 'file-restore')) return;
    await this.#with(this.#local(), async (turn) => {
      await this.#step('file-first', turn, (one) => one.backup([corpus.file]));
      if (this.#wantsAny('file-restore')) {
        await this.#step('file-restore', turn, (one) => this.#restore(one, [corpus.file]));
      }
      if (!this.#wantsAny('file-changed')) return;
      try {
        corpus.fileEdits.apply();
        await this.#step('file-changed', turn, (one) => one.backup([corpus.file]));
      } finally {
        corpus.fileEdits.revert();
      }
    });
  }

  async #tree(): Promise<void> {
    const { corpus } = this.#options;
    const later = ['tree-unchanged', 'tree-changed', 'tree-restore', 'one-file', 'tree-check'];
    if (!this.#wantsAny('tree-first', ...later)) return;
    const backup: Act = (one) => one.backup([corpus.tree]);
    await this.#with(this.#local(), async (turn) => {
      await this.#step('tree-first', turn, backup);
      if (this.#wantsAny('tree-unchanged')) await this.#step('tree-unchanged', turn, backup);
      if (this.#wantsAny('tree-restore')) {
        await this.#step('tree-restore', turn, (one) => this.#restore(one, [corpus.tree]));
      }
      if (this.#wantsAny('one-file')) {
        await this.#step('one-file', turn, (one) =>
          this.#restore(one, [corpus.sample], corpus.sample),
        );
      }
      if (this.#wantsAny('tree-check')) await this.#step('tree-check', turn, (one) => one.check());
      if (!this.#wantsAny('tree-changed')) return;
      try {
        corpus.treeEdits.apply();
        await this.#step('tree-changed', turn, backup);
      } finally {
        corpus.treeEdits.revert();
      }
    });
  }

  /** Six sites, so that one shard lies at each; two of them are killed before the restore. */
  async #lossy(): Promise<void> {
    const { corpus, signal } = this.#options;
    if (!this.#wantsAny('file-lossy')) return;
    const six = new Holdfast({ sites: 6, surviveSites: 2, signal });
    const others = this.#local().slice(1);
    await this.#with([six, ...others], async (turn) => {
      for (const one of turn) await one.backup([corpus.file]);
      await six.lose(2);
      await this.#step('file-lossy', turn, (one) => this.#restore(one, [corpus.file]));
    });
  }

  async #fiveSites(): Promise<void> {
    const { corpus, signal, sftp, against, work } = this.#options;
    if (!this.#wantsAny('sites-first', 'sites-restore')) return;
    const five = new Holdfast({ sites: 5, surviveSites: 2, signal });
    const directory = join(work, `sites-${this.#run}`);
    const others =
      sftp === undefined || !against.includes('restic')
        ? []
        : [new Restic({ directory, signal, sftp: { command: sftp.command, copies: 3 } })];
    const both = [corpus.tree, corpus.file];
    await this.#with([five, ...others], async (turn) => {
      await this.#step('sites-first', turn, (one) => one.backup(both));
      if (!this.#wantsAny('sites-restore')) return;
      await five.lose(2);
      await this.#step('sites-restore', turn, (one) => this.#restore(one, both));
    });
  }

  /** Restored trees stay until the end: creating files is slow for minutes after many were deleted. */
  async #restore(one: Contender, paths: readonly string[], onlyFile?: string): Promise<Result> {
    const target = join(this.#options.work, 'restored', String(this.#restores++));
    mkdirSync(join(target, '..'), { recursive: true });
    const restored: Restored = await one.restore(target, onlyFile);
    for (const path of paths) {
      const found = await differences(path, restored.placeOf(path));
      if (found.length > 0) {
        throw new Error(`${one.name} restored something else:\n${found.slice(0, 5).join('\n')}`);
      }
      if (path === this.#options.corpus.file) rmSync(restored.placeOf(path));
    }
    const { placeOf: _, ...result } = restored;
    return result;
  }
}
