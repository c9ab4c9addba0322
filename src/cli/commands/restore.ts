import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { RestoreRequest } from '../../agent/api.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Register } from '../action.ts';
import { parseSnapshotPath, repeated } from '../arguments.ts';
import {
  hookOption,
  openSession,
  type RecoveryFlags,
  recoveryOptions,
  resolveSnapshot,
} from '../recovery.ts';
import type { CliContext } from '../world.ts';
import { addRestoreGrant } from './restore-grant.ts';
import { findGrant, restoreGranted } from './restore-granted.ts';
import { addRestorePlans } from './restore-plan.ts';
import { followRestore, refuseIncomplete, reportRestore } from './restore-report.ts';
import { addRestoreRequests } from './restore-request.ts';

type RestoreFlags = RecoveryFlags & {
  target?: string;
  include?: string[];
  exclude?: string[];
  overwrite: RestoreRequest['overwrite'];
  dryRun?: true;
  allowNonEmpty?: true;
  dataset?: string;
  grant?: string;
};

/** Brings files back. */
export function addRestore(program: Command, register: Register): void {
  const command = program
    .command('restore')
    .description('Restore a snapshot, or a part of it, from whichever members answer.')
    .argument('<snapshot>', 'SNAP or SNAP:PATH; SNAP is an id or "latest"', parseSnapshotPath)
    .option('-t, --target <dir>', 'where to (required)')
    .option('-i, --include <pattern>', 'only what matches; repeatable', repeated)
    .option('-e, --exclude <pattern>', 'leave out what matches; repeatable', repeated)
    .addOption(
      new Option('--overwrite <when>', 'what to do with files that exist')
        .choices(['always', 'if-changed', 'if-newer', 'never'])
        .default('always'),
    )
    .option('-n, --dry-run', 'show what would be done')
    .option('--allow-non-empty', 'restore into a directory that holds files')
    .option('--dataset <name>', 'the dataset that "latest" is of')
    .option('--grant <id>', 'use a restore grant of this host in the place of a kit')
    // So that what follows a subcommand is the subcommand's.
    .enablePositionalOptions();
  addRestorePlans(command, register);
  addRestoreRequests(command, register);
  addRestoreGrant(command, register);
  register<RestoreFlags>(
    hookOption(recoveryOptions(command)),
    async (context, { args, options }) => {
      const { snapshot, path } = parseSnapshotPath(args[0] ?? '');
      const target = resolve(context.cwd, requireTarget(options));
      if (options.grant !== undefined) {
        return useGrant(context, { ...options, grant: options.grant }, { snapshot, path, target });
      }
      await using session = await openSession(context, options);
      const id = await resolveSnapshot(session, { snapshot, dataset: options.dataset });
      const request: RestoreRequest = {
        snapshot: id,
        path,
        target,
        include: options.include ?? [],
        exclude: options.exclude ?? [],
        overwrite: options.overwrite,
        dryRun: options.dryRun === true,
        allowNonEmpty: options.allowNonEmpty === true,
      };
      const summary = await followRestore(context, session.restore(request));
      await reportRestore(context, summary, request);
      refuseIncomplete(summary, request);
    },
  );
}

/** Not declared as required: subcommands inherit what is. */
function requireTarget({ target }: RestoreFlags): string {
  if (target !== undefined) return target;
  throw new HoldfastError('usage', "required option '-t, --target <dir>' not specified", {
    next: 'holdfast restore --help',
  });
}

/** The agent of this host restores: what opens the grant never leaves it. */
async function useGrant(
  context: CliContext,
  flags: RestoreFlags & { readonly grant: string },
  { snapshot, path, target }: { snapshot: string; path: string; target: string },
): Promise<void> {
  const { include, exclude } = flags;
  refuseWithGrant(flags);
  const found = await findGrant(context, { id: flags.grant, snapshot });
  await restoreGranted(context, {
    ...{ id: found.id, target, path: path === '/' ? undefined : path },
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
  });
}

/** What a grant cannot be combined with would be passed over in silence. @throws HoldfastError usage */
function refuseWithGrant({ kit, share, peer, dryRun, allowNonEmpty }: RestoreFlags): void {
  const others = { '--kit': kit, '--share': share, '--peer': peer, '-n': dryRun };
  const all = { ...others, '--allow-non-empty': allowNonEmpty };
  const found = Object.entries(all).find(([, value]) => value !== undefined);
  if (found === undefined) return;
  throw new HoldfastError('usage', `${found[0]} and --grant exclude each other`, {
    next: 'holdfast restore --help',
  });
}
