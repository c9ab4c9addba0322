import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CommandReport } from '../agent/coordinator-types.ts';
import { HoldfastError } from '../core/errors.ts';
import type { ControlBody } from '../core/format/control-records.ts';
import { repeated } from './arguments.ts';
import { message } from './json-fields.ts';
import type { CliContext } from './world.ts';

export type OperatorFlags = { operatorKey?: string[] };

/** The option of every command that operators sign. */
export function operatorOptions(command: Command): Command {
  return command.option(
    '--operator-key <file>',
    "an operator's signing key; repeatable (default: the one on this host)",
    repeated,
  );
}

/** Files of the operators' keys, absolute. */
export function operatorKeyFiles({ cwd }: CliContext, flags: OperatorFlags): string[] {
  return (flags.operatorKey ?? []).map((file) => resolve(cwd, file));
}

/**
 * Has operators' keys sign it, and waits until the control log has it.
 * @throws HoldfastError not-permitted when it is void, with the log's reason; no-quorum | key-needed
 */
export async function submitAsOperator(
  context: CliContext,
  flags: OperatorFlags,
  body: ControlBody,
): Promise<CommandReport> {
  const { backend, stateDir } = context;
  const files = operatorKeyFiles(context, flags);
  const request = { stateDir, operatorKeyFiles: files, body };
  const report = await backend.submitAsOperator(request).catch(asUsage);
  if (report.proposal !== undefined) throw notYet(context, report.proposal);
  if (report.outcome === 'applied') return report;
  const reason = report.reason ?? 'no reason was given';
  throw new HoldfastError('not-permitted', `the control log refused it: ${reason}`, {
    next: nextAfter(reason, body, context),
    details: { index: report.index },
  });
}

function nextAfter(reason: string, { kind }: ControlBody, { stateFlag }: CliContext): string {
  if (reason === 'an operator must sign this') {
    return `none of these keys is an operator's now: holdfast operator list${stateFlag}`;
  }
  if (/sign this/.test(reason)) {
    return 'let more operators sign: --operator-key FILE --operator-key FILE';
  }
  return `${lookUp[kind] ?? 'holdfast coordinator status'}${stateFlag}`;
}

/** Where to see what stood in the way of a command. */
const lookUp: Partial<Record<ControlBody['kind'], string>> = {
  forget: 'holdfast snapshots',
  undelete: 'holdfast snapshots',
  unlock: 'holdfast snapshots',
  hold: 'holdfast hold list',
  release: 'holdfast hold list',
  'clear-quarantine': 'holdfast quarantine list',
  operators: 'holdfast operator list',
  roles: 'holdfast peer list',
  expel: 'holdfast peer list',
  policy: 'holdfast policy show',
  keys: 'holdfast key list',
  'key-destroy': 'holdfast key list',
  split: 'holdfast key list',
  approve: 'holdfast approve list',
  deny: 'holdfast approve list',
  veto: 'holdfast approve list',
};

/** It is in the log, and not in force. */
export function notYet(
  { stateFlag }: CliContext,
  { hash, state, signed, threshold }: NonNullable<CommandReport['proposal']>,
): HoldfastError {
  const id = hash.slice(0, 8);
  const details = { hash, state, signed, threshold };
  if (state === 'waiting') {
    return new HoldfastError(
      'approval-needed',
      `it is signed, cannot be taken back, and so waits as ${id}: until then it can be stopped`,
      { next: `holdfast approve show ${id}${stateFlag}`, details },
    );
  }
  return new HoldfastError(
    'approval-needed',
    `${signed} of ${threshold} operators have signed: it waits for the others as ${id}`,
    {
      next: `another operator: holdfast approve sign ${id}${stateFlag} --operator-key FILE`,
      details,
    },
  );
}

/** What would be malformed was typed so: nothing has left this host yet. */
function asUsage(error: unknown): never {
  if (!(error instanceof HoldfastError) || error.code !== 'bad-encoding') throw error;
  throw new HoldfastError('usage', error.message, { cause: error });
}

/** Says that a command was applied, in JSON; for people each command has its own words. */
export async function printApplied(
  { output }: CliContext,
  report: CommandReport,
  facts: object = {},
): Promise<void> {
  if (output.isJson) await output.json(message('applied', { ...facts, ...report }));
}
