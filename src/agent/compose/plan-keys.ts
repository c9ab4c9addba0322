import { ageSealer } from '../../adapters/age/sealer.ts';
import { boundMemory } from '../../adapters/system/allocator.ts';
import { openLog } from '../../adapters/system/log.ts';
import { systemClock } from '../../adapters/system/runtime.ts';
import { utf8 } from '../../base/bytes.ts';
import type {
  GrantOptions,
  GrantReport,
  PlanKeys,
  PlanKeysOptions,
  RecoveryOptions,
} from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PlanHash } from '../../core/format/control-records.ts';
import type { SnapshotKeys } from '../../core/format/grant.ts';
import { parseKit } from '../../core/format/recovery-kit.ts';
import { type AgentKey, type StatementHash, shortId } from '../../core/ids.ts';
import { decodePlan } from '../../core/policy/plan-text.ts';
import { DurabilityView } from '../../services/durability-view.ts';
import { sealGrant } from '../../services/plan/grant.ts';
import { collectPackKeys } from '../../services/plan/pack-keys.ts';
import { SnapshotSession } from '../../services/snapshot-session.ts';
import type { AgentApi } from '../api.ts';
import type { PlanRecipient } from '../plan-types.ts';
import { commandCompute } from './command-compute.ts';
import { submitAsOperator } from './operator.ts';
import { RecoveryPeers } from './recovery-peers.ts';

/** Facts in one request to the agent: they must fit its body limit. */
const factsPerCall = 24;

/**
 * Opens the keys of all packs that a plan restores, with the recovery kit. What is granted later is only these:
 * the kit stays with whoever holds it, and so does what opens every snapshot.
 * @throws HoldfastError wrong-key | peer-unreachable | not-found | too-few-shards | corrupt
 */
export async function openPlanKeys(options: PlanKeysOptions, api: AgentApi): Promise<PlanKeys> {
  const plan = decodePlan(utf8(options.text));
  const restored = new Set(
    plan.steps.flatMap((step) => (step.kind === 'restore' ? [step.dataset] : [])),
  );
  const snapshots = plan.datasets
    .filter(({ name }) => restored.has(name))
    .map(({ snapshot }) => snapshot);
  const keys = await collect(options, snapshots);
  return { grant: (grant) => grantKeys(keys, grant, api) };
}

type KeysBySnapshot = ReadonlyMap<string, SnapshotKeys>;

async function collect(
  options: RecoveryOptions,
  snapshots: readonly StatementHash[],
): Promise<KeysBySnapshot> {
  await using stack = new AsyncDisposableStack();
  stack.use(boundMemory());
  const log = stack.use(openLog({ level: 'error', destination: 'stderr' }));
  const kit = parseKit(options.kitText);
  const { signal } = options;
  const cluster = stack.use(await RecoveryPeers.open(kit, options.peers, { log, signal }));
  const compute = stack.use(commandCompute(4));
  const { network, ledger, peers, facts } = cluster;
  const view = new DurabilityView(ledger, facts);
  const clock = systemClock();
  const tools = { compute, sealer: ageSealer(), clock, log };
  const session = new SnapshotSession({ network, ledger, peers, view, ...tools });
  const found = new Map<string, SnapshotKeys>();
  for (const snapshot of snapshots) {
    const record = ledger.manifest(snapshot);
    if (record === undefined) {
      const what = `no member that answers knows snapshot ${shortId(snapshot)}`;
      throw new HoldfastError('not-found', what, { next: 'holdfast peer list' });
    }
    const identities = await cluster.identitiesOf(record);
    const { frames } = await session.openPacks(record, { identities });
    await using _ = frames;
    found.set(snapshot, await collectPackKeys({ record, view, frames, cancel: { signal } }));
  }
  return found;
}

async function grantKeys(
  keys: KeysBySnapshot,
  options: GrantOptions,
  api: AgentApi,
): Promise<GrantReport[]> {
  const { plan, run } = options;
  const reports: GrantReport[] = [];
  for (const recipient of await api.planRecipients({ plan, run })) {
    const { agent, problem } = recipient;
    if (recipient.recipient === undefined) reports.push({ agent, problem: problem ?? 'no answer' });
    else reports.push(await grantTo(keys, { ...options, recipient }, api));
  }
  return reports;
}

async function grantTo(
  keys: KeysBySnapshot,
  options: GrantOptions & { readonly recipient: PlanRecipient },
  api: AgentApi,
): Promise<GrantReport> {
  const { plan, run, recipient } = options;
  const { agent, agentKey } = recipient;
  const snapshots = recipient.snapshots.flatMap((snapshot) => keys.get(snapshot) ?? []);
  const { sealed, facts } = await sealGrant({
    snapshots,
    recipient: recipient.recipient ?? '',
    sealer: ageSealer(),
  });
  const texts = facts.map(({ bytes }) => Buffer.from(bytes).toString('base64'));
  // Before the command: the agent asks for them as soon as it sees it.
  for (let i = 0; i < texts.length; i += factsPerCall) {
    await api.keepFacts({ facts: texts.slice(i, i + factsPerCall) });
  }
  const applied = await submitAsOperator(
    {
      ...options,
      body: {
        kind: 'grant',
        plan: plan as PlanHash,
        run,
        agent: agentKey as AgentKey,
        sealed: { kind: 'inline', bytes: sealed },
        lastsMs: recipient.lastsMs,
      },
    },
    api,
  );
  const packs = snapshots.reduce((sum, one) => sum + one.keys.size, 0);
  if (applied.proposal !== undefined) {
    const { hash, signed, threshold } = applied.proposal;
    const id = hash.slice(0, 8);
    const problem = `${signed} of ${threshold} approvals so far; another operator: holdfast approve sign ${id}`;
    return { agent, problem };
  }
  if (applied.outcome === 'applied') return { agent, packs };
  return { agent, problem: applied.reason ?? 'the control log refused the grant' };
}
