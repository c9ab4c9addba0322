import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { RestoreGrantReport } from '../../agent/grant-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { policyLimits } from '../../core/policy/policy-document.ts';
import { durationArgument, parseSnapshotPath } from '../arguments.ts';
import type { Register } from '../action.ts';
import { message } from '../json-fields.ts';
import { clean, formatTime } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';
import { restoreGranted } from './restore-granted.ts';

type RequestFlags = {
  at?: string;
  reason?: string;
  for?: number;
  dataset?: string;
  wait?: true;
  target?: string;
};

/** How often the log is looked at while operators decide. */
const lookMs = 2 * secondMs;

/** restore request, grants. */
export function addRestoreRequests(restore: Command, register: Register): void {
  const requestCommand = restore
    .command('request')
    .description(
      'Ask operators for the keys of one snapshot, or of a part of it, to restore it once.',
    )
    .argument('<snapshot>', 'SNAP or SNAP:PATH; SNAP is an id or "latest"', parseSnapshotPath)
    .option('--reason <text>', 'why: everybody will read it (required)')
    .option('--at <host>', 'the member that shall restore (default: this host)')
    .option(
      '--for <duration>',
      'how long it opens something (default: as the policy says, or 24h)',
      durationArgument,
    )
    .option('--dataset <name>', 'the dataset that "latest" is of')
    .option('--wait', 'wait for the keys, and restore then')
    .option('-t, --target <dir>', 'with --wait: where to');
  register<RequestFlags>(requestCommand, (context, { args, options }) =>
    request(context, args[0] ?? '', options),
  );
  const grantsCommand = restore
    .command('grants')
    .description('List what was asked for and granted, and how it stands.');
  register(grantsCommand, list);
}

async function request(context: CliContext, text: string, flags: RequestFlags): Promise<void> {
  const { output, backend, stateDir, stateFlag, cwd } = context;
  const { at, reason, for: lastsMs, dataset, wait, target } = flags;
  if (reason === undefined) throw usage("required option '--reason <text>' not specified");
  if (wait === true && target === undefined)
    throw usage('--wait restores: say where to, by -t DIR');
  if (wait !== true && target !== undefined)
    throw usage('-t is for --wait: restore when it is granted');
  if (wait === true && at !== undefined)
    throw usage('--wait restores on this host: leave --at out');
  const { grantMinMs, grantMaxMs } = policyLimits;
  if (lastsMs !== undefined && (lastsMs < grantMinMs || lastsMs > grantMaxMs)) {
    throw usage('--for is from 1s to 90d');
  }
  const { snapshot, path } = parseSnapshotPath(text);
  const agent = backend.control(stateDir);
  const asked = await agent.requestRestore({
    snapshot,
    path: path === '/' ? '' : path,
    reason,
    ...(lastsMs === undefined ? {} : { lastsMs }),
    ...(dataset === undefined ? {} : { dataset }),
    ...(at === undefined ? {} : { host: at }),
  });
  const id = asked.id.slice(0, 8);
  if (output.isJson) await output.json(message('restore_request', asked));
  else {
    const what = asked.path === '' ? '' : `${asked.path} of `;
    await output.print(
      `${id}: ${clean(asked.agent)} asks to restore ${clean(what)}snapshot ${asked.snapshot.slice(0, 8)} of ${clean(asked.dataset)}, once, within ${formatSpan(asked.lastsMs)} of the grant.`,
      `It needs ${asked.needed === 1 ? 'one operator' : `${asked.needed} operators`}: holdfast approve sign ${id}`,
    );
    if (asked.path !== '') await output.remark(pathNote);
  }
  if (wait !== true) {
    const granted = `holdfast restore ${asked.snapshot.slice(0, 8)} --grant ${id} -t DIR${stateFlag}`;
    return output.isJson ? undefined : output.remark(`next, when it is granted: ${granted}`);
  }
  await untilGranted(context, asked);
  await restoreGranted(context, {
    id: asked.id,
    target: resolve(cwd, target ?? ''),
    path: undefined,
  });
}

/** Nothing else of what a source backs up is told by name. */
const pathNote =
  'note: all members read this path; where a name is a secret, ask for its directory or the whole snapshot';

/** Says what has changed, until there are keys. @throws HoldfastError not-permitted: it has ended without */
async function untilGranted(context: CliContext, asked: RestoreGrantReport): Promise<void> {
  const { output, backend, stateDir, signal } = context;
  const agent = backend.control(stateDir);
  let said = '';
  for (;;) {
    const found = (await agent.restoreGrants()).find(({ id }) => id === asked.id);
    if (found?.state === 'granted') return;
    const words = found === undefined ? 'gone' : standing(found);
    if (found?.state !== 'requested' && found?.state !== 'approved') {
      throw new HoldfastError('not-permitted', `nothing was granted: the request is ${words}`, {
        next: 'holdfast restore grants',
      });
    }
    if (words !== said && !output.isJson) await output.remark(words);
    said = words;
    await pause(signal);
  }
}

function standing({ state, approvals, needed, endReason }: RestoreGrantReport): string {
  const why = endReason === undefined ? '' : `: ${endReason}`;
  if (state === 'requested') return `waiting: ${approvals.length} of ${needed} have approved`;
  return state === 'approved' ? 'approved; waiting for the keys' : `${state}${why}`;
}

function pause(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((done, fail) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      done();
    }, lookMs);
    const stop = (): void => {
      clearTimeout(timer);
      fail(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}

function usage(problem: string): HoldfastError {
  return new HoldfastError('usage', problem, { next: 'holdfast restore request --help' });
}

async function list(context: CliContext): Promise<void> {
  const { output, backend, stateDir } = context;
  const grants = await backend.control(stateDir).restoreGrants();
  if (output.isJson) {
    for (const one of grants) await output.json(message('restore_grant', one));
    return;
  }
  if (grants.length === 0) return output.print('Nobody has asked to restore anything.');
  await output.table(
    [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'HOST' },
      { title: 'DATASET' },
      { title: 'SNAPSHOT' },
      { title: 'PATH' },
      { title: 'APPROVED' },
      { title: 'ENDS' },
      { title: 'WHY' },
    ],
    grants.map((one) => [
      one.id.slice(0, 8),
      one.state,
      clean(one.agent),
      clean(one.dataset),
      one.snapshot.slice(0, 8),
      clean(one.path === '' ? 'all' : one.path),
      `${one.approvals.length} of ${one.needed}`,
      one.endsMs === undefined ? '-' : formatTime(one.endsMs),
      clean(one.endReason ?? one.reason),
    ]),
  );
}
