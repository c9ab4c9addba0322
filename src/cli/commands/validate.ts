import { type Command, InvalidArgumentError } from 'commander';
import type { ValidateEvent } from '../../agent/validate-types.ts';
import { formatElapsed } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { untilInterrupted } from '../events.ts';
import { message } from '../json-fields.ts';
import { startProgress } from '../start-progress.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

type ValidateFlags = { dataset?: string; readDataSubset?: number };
type Finding = Extract<ValidateEvent, { type: 'finding' }>;
type Report = Extract<ValidateEvent, { type: 'report' }>;

/** A part of all packs: "5%". */
export function shareArgument(value: string): number {
  const percent = Number(/^(\d{1,3}(?:\.\d+)?)%$/.exec(value)?.[1]);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new InvalidArgumentError('Give a part of the packs such as 5%, or 100% for all.');
}

/** validate. */
export function addValidate(program: Command, register: Register): void {
  const command = program
    .command('validate')
    .description(
      'Check without any key that every snapshot is continuous, signed, decodable and locked; an auditor signs what it finds.',
    )
    .option('--dataset <name>', 'only of this dataset')
    .option(
      '--read-data-subset <part>',
      'read this part of the packs whole and decode it, such as 5% (default: some)',
      shareArgument,
    );
  register<ValidateFlags>(command, async (context, { options }) => {
    const { report, id } = await follow(context, options);
    const { output } = context;
    const signed = { ...(id !== undefined && { id }) };
    if (output.isJson) await output.json(message('summary', { ...report, ...signed }));
    else await print(context, { report, ...signed });
    refuse(context, report);
  });
}

async function follow(
  context: CliContext,
  { dataset, readDataSubset = 0 }: ValidateFlags,
): Promise<Omit<Report, 'type'>> {
  const progress = startProgress(context);
  const events = context.backend.control(context.stateDir).validate({
    decodeShare: readDataSubset,
    ...(dataset !== undefined && { dataset }),
  });
  let report: Report | undefined;
  for await (const event of untilInterrupted(events, context.signal)) {
    if (event.type === 'report') report = event;
    else if (event.type === 'finding') await tell(context, event);
    else {
      const { current, done } = event;
      await progress.update({ unit: 'packs', done, total: done, current, json: { done, current } });
    }
  }
  await progress.end();
  if (report !== undefined) return report;
  throw new HoldfastError('agent-unreachable', 'the validation ended without a result', {
    next: `holdfast status${context.stateFlag}`,
  });
}

async function tell({ output }: CliContext, { check, subject, detail }: Finding): Promise<void> {
  if (output.isJson) return output.json(message('finding', { check, subject, detail }));
  await output.print(`${check}: ${clean(subject)}: ${clean(detail)}`);
}

async function print(
  { output, stateFlag }: CliContext,
  { report, id }: Omit<Report, 'type'>,
): Promise<void> {
  const { validation, criteria, startedMs, endedMs } = report;
  const took = formatElapsed(endedMs - startedMs);
  await output.print(`Validated ${counted(validation?.snapshots ?? 0, 'snapshot')} in ${took}.`);
  for (const { name, isMet, detail } of criteria) {
    await output.print(`  ${isMet ? 'ok  ' : 'NOT '} ${name}: ${clean(detail)}`);
  }
  const silent = validation?.peersSilent ?? [];
  if (silent.length > 0) await output.print(`  not asked: ${clean(silent.join(', '))}`);
  await output.print(
    id === undefined
      ? '  not signed: this host has not the role auditor'
      : `  signed as ${id.slice(0, 8)}: holdfast drill show ${id.slice(0, 8)}${stateFlag}`,
  );
}

function refuse({ stateFlag }: CliContext, { outcome, validation }: Report['report']): void {
  if (outcome === 'passed') return;
  if (outcome === 'failed') {
    const what = `${counted(validation?.findingCount ?? 0, 'finding')}: not everything is as its writers signed it, or as the policy asks`;
    throw new HoldfastError('corrupt', what, { next: `holdfast repair --dry-run${stateFlag}` });
  }
  throw new HoldfastError('partial', 'not everything could be looked at', {
    next: `bring the others up (holdfast peer list${stateFlag}), then: holdfast validate${stateFlag}`,
  });
}
