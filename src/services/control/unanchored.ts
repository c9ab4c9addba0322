import { mapLimit } from '../../base/concurrency.ts';
import { secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import type { ControlBody } from '../../core/format/control-records.ts';
import type { AgentKey } from '../../core/ids.ts';
import { writerObjection } from '../../core/protocol/control/anchor-book.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { Durability } from '../../core/policy/durability.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { DurabilityView } from '../durability-view.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Sync } from '../sync.ts';
import type { ControlLog } from './control-log.ts';

export type UnanchoredOptions = {
  readonly control: Pick<ControlLog, 'state'>;
  readonly ledger: Pick<Ledger, 'roster' | 'manifests'>;
  readonly view: Pick<DurabilityView, 'assess'>;
};

export type UnanchoredWish = {
  readonly states: readonly Durability['state'][];
  /** Undefined: of all. */
  readonly writer?: AgentKey;
  readonly countMax: number;
};

/** The newest snapshot of each dataset, in one of these states, that is newer than what the control log has of it. */
export async function unanchored(
  { control, ledger, view }: UnanchoredOptions,
  { states, writer: only, countMax }: UnanchoredWish,
): Promise<ManifestRecord[]> {
  const heads: ManifestRecord[] = [];
  for (const { id, writer } of ledger.roster.datasets()) {
    if (only !== undefined && writer !== only) continue;
    if (writerObjection(control.state.members, writer) !== undefined) continue;
    const known = control.state.anchors.of(writer, id)?.head.sequence ?? 0;
    const records = ledger
      .manifests(id)
      .filter(
        ({ statement, manifest }) => statement.writer === writer && manifest.sequence > known,
      );
    for (const record of records.reverse()) {
      const { state } = await view.assess(record);
      if (!states.includes(state)) continue;
      heads.push(record);
      break;
    }
    if (heads.length >= countMax) break;
  }
  return heads;
}

/** The leader anchors every five seconds; whoever is to be put out is not left in for much longer. */
const patienceMs = 10 * secondMs;
/** Of that, for hearing from the others what there is: one of them may be silent, or the thief's. */
const hearingMs = 3 * secondMs;
const pollMs = 200;
const datasetsMax = 256;
const lanes = 8;

export type AnchoredFirstOptions = UnanchoredOptions & {
  readonly control: Pick<ControlLog, 'status'>;
  readonly peers: Pick<Peers, 'reachable'>;
  readonly sync: Pick<Sync, 'withPeer'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
};

/**
 * Before a command that ends somebody's writing: what it has committed counts afterwards only as far as the log had
 * it. Asks the others what there is, and waits until the log has that; not for what is signed meanwhile, which may be
 * a thief's.
 * @returns those that it still has not
 */
export async function anchoredFirst(
  options: AnchoredFirstOptions,
  body: ControlBody,
): Promise<readonly ManifestRecord[]> {
  const { control, clock } = options;
  const writer = writerEndedBy(body, control.state);
  if (writer === undefined || control.status().leader === undefined) return [];
  const dueMs = clock.monotonicMs() + patienceMs;
  await Promise.race([hearAll(options), clock.sleep(hearingMs)]);
  // Others call it committed a moment later than its source, which has not told them yet what it holds itself.
  const states = ['committed', 'placed'] as const;
  let left = await unanchored(options, { states, writer, countMax: datasetsMax });
  while (left.length > 0 && clock.monotonicMs() < dueMs) {
    await clock.sleep(pollMs);
    left = left.filter(({ statement, manifest }) => {
      const known = control.state.anchors.of(statement.writer, manifest.dataset);
      return (known?.head.sequence ?? 0) < manifest.sequence;
    });
  }
  return left;
}

/** A snapshot is known to its source at first, and its receipts to those that have signed them. */
async function hearAll({ peers, sync }: AnchoredFirstOptions): Promise<void> {
  await mapLimit(peers.reachable(), lanes, async ({ peerKey }) => {
    try {
      await sync.withPeer(peerKey);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  });
}

function writerEndedBy(body: ControlBody, state: ControlState): AgentKey | undefined {
  if (body.kind === 'expel') return body.agent;
  if (body.kind === 'roles') return body.remove.includes('source') ? body.agent : undefined;
  if (body.kind !== 'approve') return undefined;
  const proposed = state.proposals.of(body.hash)?.command.body;
  return proposed === undefined ? undefined : writerEndedBy(proposed, state);
}
