import type { Command } from 'commander';
import { formatSize } from '../base/quantity.ts';
import { secondMs } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import type { RecipientSet } from '../core/format/control-records.ts';
import type { KeyChangeReport, KeyScope } from './backend.ts';
import { message } from './json-fields.ts';
import { type IdentityFlags, identityOptions, readIdentities } from './key-identities.ts';
import { notYet, type OperatorFlags, operatorKeyFiles, operatorOptions } from './operator.ts';
import { counted } from './terminal-text.ts';
import type { CliContext } from './world.ts';

export type KeyFlags = IdentityFlags & OperatorFlags;

/** The options of every command that wraps key epochs anew. */
export function keyOptions(command: Command): Command {
  return operatorOptions(identityOptions(command));
}

export type KeyChange = {
  readonly scope: KeyScope;
  readonly set?: RecipientSet;
  readonly keepKit?: (kitText: string) => Promise<void>;
  /** Said when it is done. */
  readonly words: string;
  /** More of the JSON line. */
  readonly facts?: object;
};

/** Members fetch a new record within a second or two; whoever is away gets it later. */
const spreadWithinMs = 10 * secondMs;
const askAgainMs = 300;

/**
 * Opens what is to be wrapped anew, has operators sign the change, and says how far it has spread.
 * @throws HoldfastError key-needed | wrong-key | not-permitted | no-quorum
 */
export async function runChange(
  context: CliContext,
  flags: KeyFlags,
  change: KeyChange,
): Promise<KeyChangeReport> {
  const { backend, output, stateDir, stateFlag } = context;
  const identities = await readIdentities(context, flags);
  const startMs = context.nowMs();
  const { words, facts, ...what } = change;
  const operatorFiles = operatorKeyFiles(context, flags);
  const request = { stateDir, operatorKeyFiles: operatorFiles, identities, ...what };
  const report = await backend.changeKeys(request);
  const { command, epochs, bytes } = report;
  // Its records stay with this host until the others have signed; members fetch them from here then.
  if (command?.proposal !== undefined) throw notYet(context, command.proposal);
  if (command?.outcome === 'void') {
    const reason = command.reason ?? 'no reason was given';
    throw new HoldfastError('not-permitted', `the control log refused it: ${reason}`, {
      next: /sign this/.test(reason)
        ? 'let more operators sign: --operator-key FILE --operator-key FILE'
        : `look, then try again: holdfast key list${stateFlag}`,
      details: { index: command.index },
    });
  }
  const durationMs = Math.round(context.nowMs() - startMs);
  const holders = command === undefined ? undefined : await spread(context, epochs);
  if (output.isJson) {
    const counts = { epochs: epochs.length, bytes, durationMs, holders };
    await output.json(message('keys_changed', { ...facts, ...command, ...counts }));
    return report;
  }
  await output.print(words);
  if (holders === undefined) return report;
  const seconds = (durationMs / secondMs).toFixed(1);
  await output.print(
    `${counted(epochs.length, 'key record')} written anew (${formatSize(bytes)}) in ${seconds} s; ` +
      `${holders.held} of ${counted(holders.members, 'member')} hold them.`,
  );
  if (holders.held < holders.members) {
    await output.remark(
      `The others fetch them when they are back, and delete the old ones then: holdfast key list -s DIR there`,
    );
  }
  return report;
}

async function spread(
  { backend, stateDir, signal, nowMs }: CliContext,
  epochs: KeyChangeReport['epochs'],
): Promise<{ held: number; asked: number; members: number }> {
  const endMs = nowMs() + spreadWithinMs;
  for (;;) {
    const holders = await backend.control(stateDir).keyHolders({ epochs: epochs.slice(0, 1024) });
    if (holders.held >= holders.asked || nowMs() >= endMs || signal.aborted) return holders;
    await new Promise((resume) => setTimeout(resume, askAgainMs));
  }
}
