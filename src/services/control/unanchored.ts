import { secondMs } from '../../base/units.ts';
import type { ControlBody } from '../../core/format/control-records.ts';
import type { AgentKey } from '../../core/ids.ts';
import { writerObjection } from '../../core/protocol/control/anchor-book.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { DurabilityView } from '../durability-view.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { ControlLog } from './control-log.ts';

export type UnanchoredOptions = {
  readonly control: Pick<ControlLog, 'state'>;
  readonly ledger: Pick<Ledger, 'roster' | 'manifests'>;
  readonly view: Pick<DurabilityView, 'assess'>;
};

/** The newest committed snapshot of each dataset that is newer than what the control log has of it. */
export async function unanchored(
  { control, ledger, view }: UnanchoredOptions,
  { writer: only, countMax }: { readonly writer?: AgentKey; readonly countMax: number },
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
      if (state !== 'committed') continue;
      heads.push(record);
      break;
    }
    if (heads.length >= countMax) break;
  }
  return heads;
}

/** The leader anchors every five seconds; whoever is to be put out is not left in for much longer. */
const patienceMs = 10 * secondMs;
const pollMs = 200;
const datasetsMax = 256;

/**
 * Before a command that ends somebody's writing: what it has committed counts afterwards only as far as the log had
 * it. Waits until the log has what is committed now; not for what is signed meanwhile, which may be a thief's.
 * @returns those that it still has not
 */
export async function anchoredFirst(
  options: UnanchoredOptions & {
    readonly control: Pick<ControlLog, 'status'>;
    readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  },
  body: ControlBody,
): Promise<readonly ManifestRecord[]> {
  const { control, clock } = options;
  const writer = writerEndedBy(body, control.state);
  if (writer === undefined || control.status().leader === undefined) return [];
  let left = await unanchored(options, { writer, countMax: datasetsMax });
  const dueMs = clock.monotonicMs() + patienceMs;
  while (left.length > 0 && clock.monotonicMs() < dueMs) {
    await clock.sleep(pollMs);
    left = left.filter(({ statement, manifest }) => {
      const known = control.state.anchors.of(statement.writer, manifest.dataset);
      return (known?.head.sequence ?? 0) < manifest.sequence;
    });
  }
  return left;
}

function writerEndedBy(body: ControlBody, state: ControlState): AgentKey | undefined {
  if (body.kind === 'expel') return body.agent;
  if (body.kind === 'roles') return body.remove.includes('source') ? body.agent : undefined;
  if (body.kind !== 'approve') return undefined;
  const proposed = state.proposals.of(body.hash)?.command.body;
  return proposed === undefined ? undefined : writerEndedBy(proposed, state);
}
