import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { RecoverySession, SnapshotReport } from '../agent/api.ts';
import { HoldfastError } from '../core/errors.ts';
import { repeated, repeatedAddress } from './arguments.ts';
import type { RecoveryOptions } from './backend.ts';
import { readKit } from './kit-file.ts';
import { readShares } from './share-files.ts';
import { shellWord } from './shell-word.ts';
import { byHistory } from './snapshot-order.ts';
import { clean } from './terminal-text.ts';
import type { CliContext } from './world.ts';

export type RecoveryFlags = { kit?: string; share?: string[]; peer?: string[]; hooks?: boolean };

/** The options of every command that opens backups. */
export function recoveryOptions(command: Command): Command {
  return command
    .option('--kit <file>', 'the recovery kit; - reads standard input (HOLDFAST_KIT_FILE)')
    .option('--share <file>', 'a share of a kit that was split, instead; repeatable', repeated)
    .option(
      '--peer <address>',
      'a member to ask: HOST:PORT or multiaddr; repeatable',
      repeatedAddress,
    );
}

/** The file of the kit, by option or environment. */
export function kitFileOf({ env }: CliContext, flags: RecoveryFlags): string | undefined {
  // Shares make a kit without a file; it is named for those who ask whether there is one.
  const file = flags.kit ?? flags.share?.[0] ?? env.HOLDFAST_KIT_FILE;
  return file === '' ? undefined : file;
}

/** Opens the backups. The caller disposes. @throws HoldfastError key-needed without a kit. */
export async function openSession(
  context: CliContext,
  flags: RecoveryFlags,
): Promise<RecoverySession> {
  return context.backend.openRecovery(await recoveryOf(context, flags));
}

/** The kit, and whom to ask. @throws HoldfastError key-needed without a kit. */
export async function recoveryOf(
  context: CliContext,
  flags: RecoveryFlags,
): Promise<RecoveryOptions> {
  const { cwd, output, signal, stateDir, stdin } = context;
  const file = kitFileOf(context, flags);
  if (flags.share !== undefined) {
    const { kitText, problems } = await context.backend.combineKit(
      await readShares(context, flags.share),
    );
    for (const problem of problems) await output.remark(`not used: ${clean(problem)}`);
    const peers = flags.peer ?? (await localAddresses(context));
    return { kitText, peers, stateDir, signal, ...hooksOf(context, flags) };
  }
  if (file === undefined) throw keyNeeded(context);
  const kit = await readKit(file === '-' ? file : resolve(cwd, file), { stdin, signal });
  if (kit.isExposed) {
    await output.remark(
      `warning: others on this host can read the kit: chmod 600 ${shellWord(file)}`,
    );
  }
  const peers = flags.peer ?? (await localAddresses(context));
  return { kitText: kit.text, peers, stateDir, signal, ...hooksOf(context, flags) };
}

/** The option of commands that restore. */
export function hookOption(command: Command): Command {
  return command.option('--no-hooks', 'run no program of the configuration before and after');
}

/** Only commands with the option run any. */
function hooksOf(
  { stateDir, configFile }: CliContext,
  { hooks }: RecoveryFlags,
): Pick<RecoveryOptions, 'hooks'> {
  if (hooks !== true) return {};
  return { hooks: { stateDir, ...(configFile === undefined ? {} : { file: configFile }) } };
}

function keyNeeded({ argv }: CliContext): HoldfastError {
  const command = ['holdfast', ...argv, '--kit', 'FILE'].map(shellWord).join(' ');
  return new HoldfastError(
    'key-needed',
    'opening backups needs the recovery kit: by design a host cannot open what it has sent, so that whoever steals the host cannot either',
    { next: command },
  );
}

/** None without a running agent: the kit knows addresses of its own. */
async function localAddresses({ backend, stateDir }: CliContext): Promise<string[]> {
  try {
    return (await backend.control(stateDir).identity()).addresses;
  } catch (error) {
    if (error instanceof HoldfastError && localFailures.includes(error.code)) return [];
    throw error;
  }
}

// A broken agent of this host is no reason not to restore from the others.
const localFailures: readonly string[] = [
  'agent-not-running',
  'no-cluster',
  'agent-unreachable',
  'not-permitted',
  'failed',
];

/** The snapshot's id when "latest" is asked for of one dataset; else as it is: the session resolves it. */
export async function resolveSnapshot(
  session: RecoverySession,
  { snapshot, dataset }: { snapshot: string; dataset: string | undefined },
): Promise<string> {
  if (dataset === undefined || snapshot !== 'latest') return snapshot;
  const newest = newestOf(await session.snapshots({ dataset }));
  if (newest !== undefined) return newest.id;
  throw new HoldfastError('not-found', `dataset ${JSON.stringify(dataset)} has no snapshot`, {
    next: 'holdfast snapshots --kit FILE',
  });
}

/** By incarnation and sequence, since a source's clock may have been set back. One that is only staged lacks data. */
function newestOf(snapshots: readonly SnapshotReport[]): SnapshotReport | undefined {
  const line = snapshots.filter((snapshot) => snapshot.line === 'main');
  const usable = line.filter((snapshot) => snapshot.state !== 'staged');
  const candidates = usable.length > 0 ? usable : line;
  return candidates.reduce<SnapshotReport | undefined>(
    (best, one) => (best === undefined || byHistory(one, best) > 0 ? one : best),
    undefined,
  );
}
