import { type Command, InvalidArgumentError } from 'commander';
import type { CheckEvent, CheckSummary } from '../../agent/check-types.ts';
import { formatElapsed } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type DataSubset, parseDataSubset, partsMax } from '../../core/policy/data-subset.ts';
import type { Register } from '../action.ts';
import { untilInterrupted } from '../events.ts';
import { message } from '../json-fields.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type CheckFlags = { readData?: true; readDataSubset?: DataSubset; dataset?: string };

/** "2/30" or "5%". */
export function subsetArgument(value: string): DataSubset {
  const subset = parseDataSubset(value);
  if (subset !== undefined) return subset;
  throw new InvalidArgumentError(`Give n/t, such as 1/30 (t: at most ${partsMax}), or 5%.`);
}

/** check. */
export function addCheck(program: Command, register: Register): void {
  const checkCommand = program
    .command('check')
    .description('Ask every peer for the shards that it holds, and count what is left.')
    .option('--read-data', 'have every shard read back and verified, and every signature here')
    .option(
      '--read-data-subset <part>',
      'the same of a part: n/t for the n-th of t parts, or a share such as 5% drawn by chance',
      subsetArgument,
    )
    .option('--dataset <name>', 'only of this dataset');
  register<CheckFlags>(checkCommand, async (context, { options }) => {
    if (options.readData === true && options.readDataSubset !== undefined) {
      const message = '--read-data reads all, --read-data-subset a part';
      throw new HoldfastError('usage', message, { next: 'holdfast check --help' });
    }
    const summary = await follow(context, options);
    await report(context, summary);
    refuseDamage(context, summary);
  });
}

async function follow(context: CliContext, flags: CheckFlags): Promise<CheckSummary> {
  const progress = startProgress(context);
  const events = context.backend.control(context.stateDir).check({
    readData: flags.readData === true || flags.readDataSubset !== undefined,
    ...(flags.readDataSubset !== undefined && { subset: flags.readDataSubset }),
    ...(flags.dataset !== undefined && { dataset: flags.dataset }),
  });
  let summary: CheckSummary | undefined;
  for await (const event of untilInterrupted(events, context.signal)) {
    if (event.type === 'summary') summary = event.summary;
    else if (event.type === 'problem') await problem(context, event);
    else if (event.type === 'bad-record') await badRecord(context, event);
    else {
      const { packsDone, packsTotal, peer } = event;
      await progress.update({
        unit: 'packs',
        done: packsDone,
        total: packsTotal,
        current: peer,
        json: { packs_done: packsDone, total_packs: packsTotal, peer },
      });
    }
  }
  await progress.end();
  if (summary !== undefined) return summary;
  throw new HoldfastError('agent-unreachable', 'the check ended without a result', {
    next: `holdfast status${context.stateFlag}`,
  });
}

async function problem(
  { output }: CliContext,
  event: Extract<CheckEvent, { type: 'problem' }>,
): Promise<void> {
  const { type: _, ...facts } = event;
  if (output.isJson) return output.complainJson({ ...message('error', facts), during: 'check' });
  await output.complain(
    `${clean(event.peer)} (${clean(event.site)}): shard ${event.index} of pack ${event.pack.slice(0, 8)}` +
      ` (${clean(event.dataset)}): ${clean(event.problem)}`,
  );
}

async function badRecord(
  { output }: CliContext,
  event: Extract<CheckEvent, { type: 'bad-record' }>,
): Promise<void> {
  const { type: _, ...facts } = event;
  if (output.isJson) return output.complainJson({ ...message('error', facts), during: 'check' });
  await output.complain(`${clean(event.record)}: ${clean(event.problem)}`);
}

async function report({ output }: CliContext, summary: CheckSummary): Promise<void> {
  if (output.isJson) return output.json(message('summary', summary));
  await output.print(
    `Checked ${counted(summary.snapshots, 'snapshot')}: ${counted(summary.packs, 'pack')},` +
      ` ${counted(summary.shards, 'shard')} at ${counted(summary.peersAsked, 'peer')}` +
      ` in ${formatElapsed(summary.durationMs)}.`,
    summary.packsRead === 0
      ? '  nothing was read back; --read-data reads every byte'
      : `  every byte read back of ${counted(summary.packsRead, 'pack')}`,
    `  bad shards ${summary.badShards}, packs below policy ${summary.degradedPacks},` +
      ` packs that cannot be rebuilt ${summary.unrecoverablePacks}`,
  );
  if (summary.peersUnreachable.length > 0) {
    await output.print(
      `  not asked, since unreachable: ${clean(summary.peersUnreachable.join(', '))}`,
    );
  }
}

function refuseDamage({ stateFlag }: CliContext, summary: CheckSummary): void {
  const next =
    summary.peersUnreachable.length > 0
      ? `bring ${summary.peersUnreachable.join(', ')} up, then: holdfast check${stateFlag}`
      : `holdfast status${stateFlag}`;
  if (summary.unrecoverablePacks > 0) {
    const message = `${counted(summary.unrecoverablePacks, 'pack')} cannot be rebuilt from the shards that are reachable`;
    throw new HoldfastError('too-few-shards', message, { next });
  }
  if (summary.badRecords > 0) {
    const { badRecords } = summary;
    const what = badRecords === 1 ? 'is not as it was' : 'are not as they were';
    const message = `${counted(badRecords, 'record')} ${what} signed, see above`;
    throw new HoldfastError('bad-signature', message, {
      next: `look who has had this host’s disk in hand, or the member named above: holdfast audit verify${stateFlag}`,
    });
  }
  if (summary.badShards > 0 || summary.degradedPacks > 0) {
    const message = `${counted(summary.badShards, 'bad shard')}, ${counted(summary.degradedPacks, 'pack')} below policy; everything can still be rebuilt`;
    throw new HoldfastError('below-policy', message, { next });
  }
}
