import type { Command } from 'commander';
import { formatSpan } from '../../base/quantity.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { CommandHash } from '../../core/format/control-records.ts';
import type { Register } from '../action.ts';
import { type IdentityFlags, identityOptions, readIdentities } from '../key-identities.ts';
import {
  type OperatorFlags,
  operatorKeyFiles,
  operatorOptions,
  printApplied,
} from '../operator.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { signProposal } from './approve.ts';
import { findGrant } from './restore-granted.ts';

// The option --kit of `restore` itself takes the value before this command sees it.
type GrantFlags = OperatorFlags & Omit<IdentityFlags, 'kit'> & { kit?: string | string[] };

/** restore grant. */
export function addRestoreGrant(restore: Command, register: Register): void {
  const command = restore
    .command('grant')
    .description(
      'Reseal the keys of an approved request to the host that has asked. Approves it first where one approval is missing.',
    )
    .argument('<id>', 'the beginning of its id');
  register<GrantFlags>(operatorOptions(identityOptions(command)), (context, { args, options }) =>
    grant(context, args[0] ?? '', options),
  );
}

async function grant(context: CliContext, id: string, flags: GrantFlags): Promise<void> {
  const { backend, output, signal, stateDir, stateFlag } = context;
  // Asked for before anything is signed: without it the signature would be for nothing.
  const { identity, kit } = flags;
  const kits = kit === undefined ? {} : { kit: [kit].flat() };
  const named = { ...kits, ...(identity === undefined ? {} : { identity }) };
  const identities = await readIdentities(context, named);
  const found = await findGrant(context, { id, snapshot: 'latest' });
  const short = found.id.slice(0, 8);
  if (found.state === 'requested') {
    await signProposal(context, short, flags);
    const after = await findGrant(context, { id: short, snapshot: 'latest' });
    if (after.state !== 'approved') {
      const missing = `${after.approvals.length} of ${after.needed} operators have approved`;
      throw new HoldfastError('approval-needed', `nothing is resealed yet: ${missing}`, {
        next: `another operator: holdfast approve sign ${short}${stateFlag} --operator-key FILE; then the same again`,
        details: { approvals: after.approvals.length, needed: after.needed },
      });
    }
  } else if (found.state !== 'approved') {
    throw new HoldfastError('not-permitted', `${short} is ${found.state}: nothing is resealed`, {
      next: `holdfast restore grants${stateFlag}`,
    });
  }
  const report = await backend.grantRestore({
    ...{ stateDir, operatorKeyFiles: operatorKeyFiles(context, flags), signal },
    ...{ id: found.id as CommandHash, identities },
  });
  const { command, packs, packsOfSnapshot } = report;
  if (command.outcome !== 'applied') {
    throw new HoldfastError('not-permitted', `the control log refused it: ${command.reason}`, {
      next: `holdfast restore grants${stateFlag}`,
    });
  }
  await printApplied(context, command, {
    grant: found.id,
    packs,
    packs_of_snapshot: packsOfSnapshot,
  });
  if (output.isJson) return;
  await output.print(
    `${short}: ${clean(found.agent)} may open ${packs} of ${counted(packsOfSnapshot, 'pack')}, once, within ${formatSpan(found.lastsMs)}.`,
  );
  await output.remark(
    `next, on ${clean(found.agent)}: holdfast restore ${found.snapshot.slice(0, 8)} --grant ${short} -t DIR`,
  );
}
