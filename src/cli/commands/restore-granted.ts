import type { RestoreEvent, RestoreRequest } from '../../agent/api.ts';
import type { RestoreGrantReport } from '../../agent/grant-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { CliContext } from '../world.ts';
import { followRestore, refuseIncomplete, reportRestore } from './restore-report.ts';

export type GrantedOrder = {
  /** Whole. */
  readonly id: string;
  /** Absolute. */
  readonly target: string;
  /** Below what was granted; undefined: all of that. */
  readonly path: string | undefined;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
};

/** Has this host's agent restore what was granted to it, and follows it. */
export async function restoreGranted(context: CliContext, order: GrantedOrder): Promise<void> {
  const { backend, stateDir, stateFlag } = context;
  const { id, target, path } = order;
  const [include, exclude] = [[...(order.include ?? [])], [...(order.exclude ?? [])]];
  const agent = backend.control(stateDir);
  const asked = { id, target, include, exclude, ...(path === undefined ? {} : { path }) };
  const events: AsyncIterable<RestoreEvent> = agent.restoreGranted(asked);
  const summary = await followRestore(context, events);
  const request: RestoreRequest = {
    ...{ snapshot: summary.snapshot, path: path ?? '/', target, include, exclude },
    ...{ overwrite: 'if-changed', dryRun: false, allowNonEmpty: false },
  };
  await reportRestore(context, summary, request);
  const again = `holdfast restore ${summary.snapshot.slice(0, 8)} --grant ${id.slice(0, 8)} -t ${target}${stateFlag}`;
  refuseIncomplete(summary, request, `bring more members up, then the same again: ${again}`);
}

/** By the beginning of its id. @throws HoldfastError not-found | ambiguous | usage (of another snapshot) */
export async function findGrant(
  { backend, stateDir }: CliContext,
  { id, snapshot }: { readonly id: string; readonly snapshot: string },
): Promise<RestoreGrantReport> {
  const grants = await backend.control(stateDir).restoreGrants();
  const found = id.length < 4 ? [] : grants.filter((one) => one.id.startsWith(id.toLowerCase()));
  const [only, ...others] = found;
  const next = 'holdfast restore grants';
  if (only === undefined) {
    throw new HoldfastError('not-found', `no request begins with ${JSON.stringify(id)}`, { next });
  }
  if (others.length > 0) {
    throw new HoldfastError('ambiguous', `${found.length} requests begin with ${id}`, { next });
  }
  if (snapshot !== 'latest' && !only.snapshot.startsWith(snapshot.toLowerCase())) {
    const what = `${id} is for snapshot ${only.snapshot.slice(0, 8)}, not for ${snapshot}`;
    throw new HoldfastError('usage', what, { next });
  }
  return only;
}
