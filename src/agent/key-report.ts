import { decodeKeyRecord, recipientId } from '../core/format/key-record.ts';
import { keyEpochsOf } from '../core/format/manifest.ts';
import { escrowHealth } from '../core/policy/escrow-health.ts';
import { type Escrow, escrowFacts } from '../core/protocol/control/escrow-book.ts';
import type { DatasetRecord, KeyEpoch } from '../core/protocol/roster.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import type { Agent } from './agent.ts';
import type {
  DatasetKeys,
  EscrowReport,
  KeyEpochReport,
  KeysReport,
  RecipientReport,
} from './key-types.ts';
import { operatorName } from './operator-name.ts';

const idLength = 12;

/** Who can open what. */
export async function keysReport(agent: Agent): Promise<KeysReport> {
  const { keys, escrow } = agent.control.log.state;
  const { kit } = keys;
  const datasets: DatasetKeys[] = [];
  for (const record of agent.ledger.roster.datasets()) {
    datasets.push(await datasetKeys(agent, record));
  }
  const { version, recipient, timeMs } = kit;
  return {
    version: keys.version,
    kit: { version, id: recipientId(recipient).slice(0, idLength), timeMs },
    recipients: keys.recipientsOf().map(recipientReport),
    datasets,
    ...custodyReport(agent),
    ...(escrow.current === undefined ? {} : { escrow: escrowReport(agent, escrow.current) }),
  };
}

function custodyReport({ ledger }: Agent): Pick<KeysReport, 'custody'> {
  const { custody } = ledger.roster.genesis;
  if (custody === undefined) return {};
  const custodians = custody.custodians.map(({ name, recipient }) => ({
    name,
    ...(recipient === '' ? {} : { recipient }),
  }));
  return { custody: { threshold: custody.threshold, custodians } };
}

function recipientReport(one: { name: string; recipient: string }): RecipientReport {
  return { ...one, id: recipientId(one.recipient).slice(0, idLength) };
}

async function datasetKeys(agent: Agent, record: DatasetRecord): Promise<DatasetKeys> {
  const { name, id, writer } = record;
  const { keys } = agent.control.log.state;
  const epochs: KeyEpochReport[] = [];
  for (const epoch of agent.ledger.roster.epochsOf(writer, id)) {
    epochs.push(await epochReport(agent, record, epoch));
  }
  return {
    name,
    id,
    source: agent.nameOf(writer),
    writer,
    recipients: keys.setOf({ writer, dataset: id }).map(recipientReport),
    epochs,
  };
}

async function epochReport(
  agent: Agent,
  { keyEpoch }: DatasetRecord,
  epoch: KeyEpoch,
): Promise<KeyEpochReport> {
  const { keys } = agent.control.log.state;
  const decided = keys.decided(epoch);
  const facts = await recordFacts(agent, epoch);
  const all = agent.ledger
    .manifests(epoch.dataset)
    .filter(({ statement }) => statement.writer === epoch.writer);
  const users = all.filter(({ manifest }) => keyEpochsOf(manifest).includes(epoch.epoch));
  return {
    epoch: epoch.epoch,
    timeMs: epoch.timeMs,
    isCurrent: epoch.epoch === keyEpoch,
    ...facts,
    snapshots: users.length,
    snapshotsLater: users.filter(({ manifest }) => manifest.keyEpoch > epoch.epoch).length,
    isNeededByNewest: users.length > 0 && users.at(-1) === all.at(-1),
    ...complianceOf(agent, users),
    ...(decided?.state === 'destroyed' && {
      destroyed: {
        timeMs: decided.timeMs,
        reason: decided.reason,
        by: decided.authors.map((author) => operatorName(agent, author)),
      },
    }),
  };
}

function complianceOf(
  { keeping }: Agent,
  users: readonly ManifestRecord[],
): Pick<KeyEpochReport, 'complianceUntilMs'> {
  const untilMs = Math.max(
    0,
    ...users.map(({ hash }) => keeping.locks.of(hash)?.complianceMs ?? 0),
  );
  return untilMs > (keeping.hostClock.nowMs() ?? 0) ? { complianceUntilMs: untilMs } : {};
}

/** What is in the record that is held, compared with what operators want. */
export async function recordFacts(
  agent: Agent,
  epoch: KeyEpoch,
): Promise<Pick<KeyEpochReport, 'record' | 'kitVersion' | 'isStale' | 'recipients'>> {
  const { keys } = agent.control.log.state;
  const inForce = agent.keys.inForce(epoch);
  const none = { kitVersion: 0, recipients: [], isStale: false };
  if (inForce.state === 'destroyed') return { record: 'destroyed', ...none };
  if (inForce.state !== 'record') return { record: 'statement', ...none, isStale: true };
  const wanted = keys.recipientsOf(epoch);
  const bytes = await agent.keys.record(epoch);
  if (bytes === undefined) return { record: 'missing', ...none };
  const { kitVersion, recipients } = decodeKeyRecord(bytes);
  const ids = wanted.map(({ recipient }) => recipientId(recipient)).sort();
  const names = new Map(wanted.map((one) => [recipientId(one.recipient), one.name]));
  return {
    record: (await agent.keys.isHeld(epoch)) ? 'held' : 'missing',
    kitVersion,
    isStale: kitVersion !== keys.kit.version || ids.join() !== recipients.join(),
    recipients: recipients.map((id) => names.get(id) || id.slice(0, idLength)),
  };
}

function escrowReport(agent: Agent, escrow: Escrow): EscrowReport {
  const { state } = agent.control.log;
  const facts = escrowFacts(escrow, state.keys.kit.version);
  const { words, custodians, ...health } = escrowHealth(facts, state.time.nowMs);
  const { id, threshold, kitVersion, timeMs } = escrow;
  return {
    ...{ id, threshold, kitVersion, timeMs, isOutdated: facts.isOutdated },
    ...health,
    ...(words === undefined ? {} : { words }),
    custodians: custodians.map(({ provedMs, ...one }, i) => ({
      ...one,
      share: i + 1,
      commitment: Buffer.from(escrow.custodians[i]?.commitment ?? []).toString('hex'),
      ...(provedMs === undefined ? {} : { provedMs }),
    })),
  };
}

/** What a person should do about keys, each with the next command. */
export async function keyWarnings(agent: Agent): Promise<string[]> {
  const { datasets, escrow, custody } = await keysReport(agent);
  const warnings: string[] = [];
  for (const { name, epochs } of datasets) {
    const stale = epochs.filter(({ isStale, record }) => isStale && record !== 'statement');
    const numbers = stale.map(({ epoch }) => epoch).join(', ');
    if (stale.length === 0) continue;
    warnings.push(
      `key epoch ${numbers} of ${name} is not sealed to the kit and recipients that count now: holdfast key rewrap --kit FILE, with the kit that it is sealed to`,
    );
  }
  if (escrow !== undefined) return [...warnings, ...(escrow.words ? [escrow.words] : [])];
  if (custody === undefined) return warnings;
  const who = custody.custodians.map(({ name }) => name).join(', ');
  const next = 'holdfast key split --kit FILE -o DIR';
  return [...warnings, `the kit has not been split among its custodians (${who}) yet: ${next}`];
}
