import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export type Opponent = 'restic' | 'borg';

export type BenchArguments = {
  readonly kind: 'macro' | 'micro' | 'curves' | 'calls';
  readonly against: readonly Opponent[];
  /** Ids of rows; empty for all. */
  readonly only: readonly string[];
  readonly runs: number;
  /** Of the corpus: 1 for all of it. */
  readonly scale: number;
  readonly corpus: string;
  readonly work: string;
  /** Seconds to wait for an idle machine before each measurement. */
  readonly settleS: number;
  /** The file that the tables go into; undefined for standard output alone. */
  readonly report: string | undefined;
};

export const usage = `npm run bench -- [micro | curves | calls] [options]
  --against restic,borg  compare with these; installs them where the system's packages can be installed
  --only ROW,ROW         these rows alone; --only list names them
  --runs N               interleaved runs (3)
  --scale X              share of the corpus, 0.01 to 1 (1)
  --corpus DIR           where the corpus is, or is built (TMP/holdfast-bench)
  --work DIR             repositories and restored files (CORPUS/work); on the disk that is to be measured
  --settle SECONDS       wait this long for an idle machine before each measurement (60)
  --no-report            leave docs/performance.md as it is`;

/** @throws Error with a sentence for whoever typed it */
export function benchArguments(argv: readonly string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      against: { type: 'string', default: 'restic' },
      only: { type: 'string', default: '' },
      runs: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      corpus: { type: 'string', default: join(tmpdir(), 'holdfast-bench') },
      work: { type: 'string' },
      settle: { type: 'string', default: '60' },
      'no-report': { type: 'boolean', default: false },
    },
  });
  const [kind = 'macro', ...rest] = positionals;
  if (!['macro', 'micro', 'curves', 'calls'].includes(kind) || rest.length > 0)
    throw new Error(usage);
  const corpus = resolve(values.corpus);
  return {
    kind: kind as BenchArguments['kind'],
    against: listOf(values.against).map(opponent),
    only: listOf(values.only),
    runs: numberOf('runs', values.runs, 1, 100),
    scale: numberOf('scale', values.scale, 0.001, 1),
    corpus,
    work: resolve(values.work ?? join(corpus, 'work')),
    settleS: numberOf('settle', values.settle, 0, 3600),
    report: values['no-report'] ? undefined : resolve(import.meta.dirname, '../../docs'),
  };
}

function listOf(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

function opponent(name: string): Opponent {
  if (name === 'restic' || name === 'borg') return name;
  throw new Error(`--against knows restic and borg, not ${name}`);
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (value >= min && value <= max) return value;
  throw new Error(`--${name} is a number from ${min} to ${max}`);
}
