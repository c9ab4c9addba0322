import { type Command, InvalidArgumentError, Option } from 'commander';
import type { StoreCheckReport, StoreMeasured } from '../../agent/store-check-types.ts';
import { formatSize } from '../../base/quantity.ts';
import { MiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { sizeArgument } from '../arguments.ts';
import { message } from '../json-fields.ts';
import { clean } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type CheckFlags = {
  against?: string;
  endpoint?: string;
  region?: string;
  pathStyle?: true;
  count: number;
  size: number;
};

const sizeMax = 20 * MiB;
const countMax = 1000;

/** Measures a store before somebody relies on it. */
export function addTargetCheck(target: Command, register: Register): void {
  const command = target
    .command('check')
    .description('Measure and verify a store, beside the one that this host uses.')
    .argument('<store>', 's3://BUCKET/PREFIX, or a directory')
    .option(
      '--against <store>',
      "compare with this one (default: this host's cold store, or its disk)",
    )
    .option(
      '--endpoint <url>',
      'the address of a store that is not Amazon’s (default: cold.endpoint)',
    )
    .option('--region <name>', 'its region (default: cold.region, or AWS_REGION)')
    .option('--path-style', "the bucket's name in the path of addresses")
    .option('--count <n>', 'objects to write, twice', countArgument, 16)
    .addOption(
      new Option('--size <size>', 'of each object, at most 20MiB')
        .argParser(checkedSize)
        .default(4 * MiB, '4MiB'),
    );
  register<CheckFlags>(command, async (context, { args, options }) => {
    await check(context, args[0] ?? '', options);
  });
}

function countArgument(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > countMax) throw new InvalidArgumentError(`Give 1 to ${countMax}.`);
  return count;
}

function checkedSize(text: string): number {
  const size = sizeArgument(text);
  if (size < 1 || size > sizeMax) throw new InvalidArgumentError('Give 1B to 20MiB.');
  return size;
}

async function check(context: CliContext, store: string, flags: CheckFlags): Promise<void> {
  const { backend, configFile, output, signal, stateDir } = context;
  const { against, endpoint, region, pathStyle, count, size } = flags;
  const request = {
    ...{ stateDir, store, count, size, signal },
    ...(configFile !== undefined && { configFile }),
    ...(against !== undefined && { against }),
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(pathStyle !== undefined && { pathStyle }),
  };
  // Lines come in order, and none is still being written when the result comes.
  let said: Promise<void> = Promise.resolve();
  const onStep = (step: string): void => {
    if (!output.isJson) said = said.then(() => output.remark(clean(step)));
  };
  let report: StoreCheckReport;
  try {
    report = await backend.checkTarget({ ...request, onStep });
  } finally {
    await said;
  }
  if (output.isJson) await output.json(message('summary', report));
  else await print(context, report);
  if (report.isFit) return;
  const bad = report.store.findings.filter(({ state }) => state === 'bad');
  throw new HoldfastError(
    'unsafe-target',
    `${store} must not be used: ${bad.map((one) => `${one.check}: ${one.detail}`).join('; ')}`,
    { next: 'choose another store, or have its settings corrected and check it again' },
  );
}

async function print({ output }: CliContext, report: StoreCheckReport): Promise<void> {
  const { store, against } = report;
  const stores = against === undefined ? [store] : [store, against];
  const columns = [{ title: '' }, ...stores.map(({ name }) => ({ title: name }))];
  const size = formatSize(store.size);
  const rows = (
    [
      [`write ${size}, p50 / p99`, (one) => times(one.writes)],
      [`read ${size}, p50 / p99`, (one) => times(one.reads)],
      ['read 64 KiB, p50 / p99', (one) => times(one.leafReads)],
      ['write, 4 at once', (one) => `${formatSize(one.writeBytesPerSecond)}/s`],
      ['read, 4 at once', (one) => `${formatSize(one.readBytesPerSecond)}/s`],
      ['sync of 4 KiB, p50 / p99', (one) => (one.disk === undefined ? '-' : times(one.disk.syncs))],
      ['file system', (one) => one.disk?.fileSystem ?? '-'],
    ] satisfies [string, (one: StoreMeasured) => string][]
  ).map(([title, cell]) => [title, ...stores.map(cell)]);
  await output.table(columns, rows);
  await output.print('');
  const words = { good: 'ok', absent: 'none', bad: 'BAD' } as const;
  for (const { check: name, state, detail } of store.findings) {
    const style = state === 'bad' ? 'red' : state === 'good' ? 'green' : 'yellow';
    const word = output.style(words[state].padEnd(4), style);
    await output.print(`${word}  ${name}: ${clean(detail)}`);
  }
  if (report.isFit) await output.print('', `${clean(store.name)} can be used as a cold store.`);
}

function times({ p50Ms, p99Ms }: { p50Ms: number; p99Ms: number }): string {
  return `${milliseconds(p50Ms)} / ${milliseconds(p99Ms)} ms`;
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}
