import type { DrillRunEvent } from '../../agent/drill-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { RunFlags } from '../drill-flags.ts';
import { followDrill, tellDrill } from '../drill-follow.ts';
import { untilInterrupted } from '../events.ts';
import type { CliContext } from '../world.ts';

/** The agent of this host drills with the key that it was given for that, and signs. */
export async function drillGranted(
  context: CliContext,
  { dataset, isWhole }: { dataset: string; isWhole: boolean },
  flags: RunFlags,
): Promise<void> {
  requireNothingElse(isWhole, flags);
  const { sample } = flags;
  const request = { dataset, ...(sample === undefined ? {} : { sample }) };
  const events = context.backend.control(context.stateDir).runDrill(request);
  let id: string | undefined;
  const watched = async function* (): AsyncGenerator<DrillRunEvent> {
    for await (const event of untilInterrupted(events, context.signal)) {
      if (event.type === 'report') id = event.id;
      yield event;
    }
  };
  const report = await followDrill(context, watched());
  await tellDrill(context, report, id);
}

function requireNothingElse(isWhole: boolean, flags: RunFlags): void {
  const { kit, share, peer, staging, check, compare, keep, maxSize } = flags;
  const { snapshot, record, without, allowHooks, hooks } = flags;
  const others = { '--kit': kit, '--share': share, '--peer': peer, '--staging': staging };
  const more = { '--check': check, '--compare': compare, '--keep': keep, '--max-size': maxSize };
  // What the agent does by itself is no wish: the newest snapshot, signed, with the programs of its configuration.
  const changed = {
    '--snapshot': snapshot === 'latest' ? undefined : snapshot,
    '--no-record': record ? undefined : record,
    '--without': without,
    '--allow-hooks': allowHooks,
    '--no-hooks': hooks === false ? hooks : undefined,
  };
  const all = Object.entries({ ...others, ...more, ...changed });
  const found = all.find(([, value]) => value !== undefined);
  if (found === undefined && isWhole) return;
  throw excludesGrant(found === undefined ? 'another scenario than the whole dataset' : found[0]);
}

export function excludesGrant(what: string): HoldfastError {
  return new HoldfastError('usage', `${what} and --grant exclude each other`, {
    next: 'holdfast drill run dataset NAME --grant --sample 1GiB',
  });
}
