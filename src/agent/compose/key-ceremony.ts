import { ageSealer } from '../../adapters/age/sealer.ts';
import { systemClock } from '../../adapters/system/runtime.ts';
import { utf8 } from '../../base/bytes.ts';
import type { KeyChangeOptions, KeyChangeReport, KeyScope } from '../../cli/backend.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { HoldfastError } from '../../core/errors.ts';
import { controlLimits } from '../../core/format/control-limits.ts';
import type { BodyOf, KitKeys, RecordChange } from '../../core/format/control-records.ts';
import {
  byKind,
  type EpochName,
  encodeKeyRecord,
  recipientId,
} from '../../core/format/key-record.ts';
import type { Contact } from '../../core/format/records.ts';
import { formatKit, recoverySecret } from '../../core/format/recovery-kit.ts';
import type { ClusterId, FactHash, PeerKey } from '../../core/ids.ts';
import { idOf } from '../../core/ids.ts';
import { openEpoch } from '../../services/keys/key-ring.ts';
import type { AgentApi } from '../api.ts';
import type { EpochMaterial, KeyMaterial } from '../key-types.ts';
import { submitAsOperator } from './operator.ts';

/** Records in one request to the agent: they must fit its body limit. */
const recordsPerCall = 24;
/** At once, so that a hundred epochs take seconds. */
const lanes = 8;

type Record = { readonly change: RecordChange; readonly bytes: Uint8Array };

/**
 * Wraps epochs for those who may open them from now on, at a terminal: what opens them exists in this process
 * alone, and ends with it. Members get sealed records, and take them into force when operators have signed.
 * @throws HoldfastError wrong-key (naming the epochs) | not-permitted | no-quorum | limit-exceeded
 */
export async function changeKeys(
  options: KeyChangeOptions,
  api: AgentApi,
): Promise<KeyChangeReport> {
  const material = await api.keyMaterial();
  const { set, keepKit } = options;
  const epochs = inScope(material, options.scope);
  if (set === undefined && keepKit === undefined && epochs.length === 0) {
    return { epochs: [], bytes: 0 };
  }
  if (epochs.length > controlLimits.recordChangesMax) {
    throw new HoldfastError(
      'limit-exceeded',
      `${epochs.length} key epochs are more than one decision may change`,
      { next: 'destroy epochs that nobody needs: holdfast key list, holdfast key destroy' },
    );
  }
  const kit = keepKit === undefined ? undefined : await newKit(api, material, keepKit);
  const records = await wrapAll(epochs, { material, options, kit });
  await stage(records, api);
  const body: BodyOf<'keys'> = {
    kind: 'keys',
    version: material.version + 1,
    base: material.version,
    kit,
    sets: set === undefined ? [] : [set],
    records: records.map(({ change }) => change),
  };
  const command = await submitAsOperator({ ...options, body }, api);
  if (command.outcome === 'void') {
    await api.unstageKeyRecords({ hashes: records.map(({ change }) => change.record) });
  }
  const bytes = records.reduce((sum, one) => sum + one.bytes.length, 0);
  const names = epochs.map(({ writer, dataset, epoch }) => ({ writer, dataset, epoch }));
  return { command, epochs: names, bytes };
}

function inScope({ epochs }: KeyMaterial, scope: KeyScope): readonly EpochMaterial[] {
  switch (scope.kind) {
    case 'all':
      return epochs;
    case 'stale':
      return epochs.filter(({ isStale }) => isStale);
    default:
      return epochs.filter((one) => one.writer === scope.writer && one.dataset === scope.dataset);
  }
}

/** The kit is kept before anything is decided: a kit that nobody has would lock everybody out. */
async function newKit(
  api: AgentApi,
  { members }: KeyMaterial,
  keep: (kitText: string) => Promise<void>,
): Promise<KitKeys> {
  const { identity, recipient } = await ageSealer().generate();
  const { clusterName, clusterId } = await api.identity();
  const addresses: Contact[] = members
    .filter((member) => member.addresses.length > 0)
    .map(({ peerKey, addresses: multiaddrs }) => ({ peer: peerKey as PeerKey, multiaddrs }));
  const createdMs = systemClock().nowMs();
  const facts = { clusterName, clusterId: clusterId as ClusterId, addresses, createdMs };
  await keep(formatKit({ ...facts, identity }));
  return { recipient, recoveryKey: idOf<PeerKey>(publicKeyOf(recoverySecret(identity))) };
}

type Wrapping = {
  readonly material: KeyMaterial;
  readonly options: KeyChangeOptions;
  readonly kit: KitKeys | undefined;
};

async function wrapAll(epochs: readonly EpochMaterial[], wrapping: Wrapping): Promise<Record[]> {
  const records: Record[] = [];
  const closed: string[] = [];
  for (let i = 0; i < epochs.length; i += lanes) {
    const some = epochs.slice(i, i + lanes);
    const done = await Promise.all(
      some.map((epoch) =>
        wrap(epoch, wrapping).catch((error: unknown) => {
          if (!(error instanceof HoldfastError) || error.code === 'limit-exceeded') throw error;
          closed.push(`epoch ${epoch.epoch} of ${epoch.datasetName}: ${error.message}`);
          return undefined;
        }),
      ),
    );
    records.push(...done.filter((one) => one !== undefined));
  }
  if (closed.length === 0) return records;
  throw new HoldfastError(
    'wrong-key',
    `nothing was changed: what was given does not open\n  ${closed.join('\n  ')}`,
    {
      next: 'give what it is sealed to as well: --kit FILE, --identity FILE; holdfast key list tells',
    },
  );
}

async function wrap(epoch: EpochMaterial, { material, options, kit }: Wrapping): Promise<Record> {
  const sealer = ageSealer();
  const { identities, set } = options;
  const files = epoch.files.map((file) => new Uint8Array(Buffer.from(file, 'base64')));
  const secret = utf8(await openEpoch(epoch, { files, identities, sealer }));
  const name = { writer: epoch.writer, dataset: epoch.dataset, epoch: epoch.epoch } as EpochName;
  const readers = readersOf(epoch, material, set);
  const groups = byKind([kit?.recipient ?? material.kit.recipient, ...readers]);
  const sealed = await Promise.all(groups.map((group) => sealer.seal(group, secret)));
  secret.fill(0);
  const { hash, bytes } = encodeKeyRecord({
    ...name,
    kitVersion: material.kit.version + (kit === undefined ? 0 : 1),
    recipients: readers.map(recipientId).sort(),
    files: sealed,
  });
  const base = epoch.inForce as FactHash | undefined;
  return { change: { ...name, base, record: hash }, bytes };
}

function readersOf(
  { own, writer, dataset }: EpochMaterial,
  { forAll }: KeyMaterial,
  set: KeyChangeOptions['set'],
): string[] {
  const isOwn = set?.of?.writer === writer && set.of.dataset === dataset;
  const all = set !== undefined && set.of === undefined ? set.recipients : forAll;
  const some = set !== undefined && isOwn ? set.recipients : own;
  return [...new Set([...all, ...some].map(({ recipient }) => recipient))];
}

/** Before the command: it names them, and members ask for them as soon as they have applied it. */
async function stage(records: readonly Record[], api: AgentApi): Promise<void> {
  const texts = records.map(({ bytes }) => Buffer.from(bytes).toString('base64'));
  for (let i = 0; i < texts.length; i += recordsPerCall) {
    await api.stageKeyRecords({ records: texts.slice(i, i + recordsPerCall) });
  }
}
