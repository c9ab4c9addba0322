import { ageSealer } from '../../adapters/age/sealer.ts';
import { boundMemory } from '../../adapters/system/allocator.ts';
import { mapLimit } from '../../base/concurrency.ts';
import type { GrantRestoreOptions, GrantRestoreReport } from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { CommandHash } from '../../core/format/control-records.ts';
import { decodePackSegment, factHash, type PackEntry } from '../../core/format/facts.ts';
import { keyEpochsOf } from '../../core/format/manifest.ts';
import type { Manifest } from '../../core/format/records.ts';
import {
  type AgentKey,
  type ClusterId,
  idOf,
  type PackId,
  type StatementHash,
  shortId,
} from '../../core/ids.ts';
import { openStatement } from '../../core/protocol/opened-statement.ts';
import { FrameReader } from '../../services/frame-reader.ts';
import { NotingPacks, packsOfPath } from '../../services/grants/path-packs.ts';
import { openEpoch } from '../../services/keys/key-ring.ts';
import type { PackReader } from '../../services/pack-reader.ts';
import { sealGrant } from '../../services/plan/grant.ts';
import type { AgentApi } from '../api.ts';
import type { GrantMaterial } from '../grant-types.ts';
import { commandCompute } from './command-compute.ts';
import { submitAsOperator } from './operator.ts';

/** Facts in one request to the agent: they must fit its body limit. */
const factsPerCall = 24;
/** Heads of packs read and opened at once. */
const lanes = 8;

/**
 * Reseals the keys of an approved request to the one that has asked, at a terminal: what opens the epoch exists
 * in this process alone, and what leaves it are keys of the packs that the request needs.
 * @throws HoldfastError wrong-key | not-permitted | bad-signature | not-found | too-few-shards | no-quorum
 */
export async function grantRestore(
  options: GrantRestoreOptions,
  api: AgentApi,
): Promise<GrantRestoreReport> {
  await using stack = new AsyncDisposableStack();
  stack.use(boundMemory());
  const material = await api.grantMaterial({ id: options.id });
  const { clusterId } = await api.identity();
  const { manifest, writer } = openManifest(material, clusterId as ClusterId);
  const entries = entriesOf(material, manifest);
  const compute = stack.use(commandCompute(4));
  const sealer = ageSealer();
  const identities = await epochIdentities(options, api, { manifest, writer });
  const packs = new NotingPacks(remotePacks(options.id, entries, api));
  const { dataset } = manifest;
  const frames = stack.use(new FrameReader({ packs, compute, sealer, dataset, identities }));
  const { path, snapshot } = material.grant;
  const cancel = { signal: options.signal };
  const wanted =
    path === ''
      ? new Set(entries.keys())
      : await packsOfPath({ manifest, path, frames, packs, cancel });
  const keys = new Map<PackId, Uint8Array>();
  await mapLimit([...wanted], lanes, async (pack) => {
    options.signal.throwIfAborted();
    keys.set(pack, await frames.packKey(pack));
  });
  const part = { dataset, snapshot: snapshot as StatementHash, keys };
  const { recipient } = material;
  const { sealed, facts } = await sealGrant({ snapshots: [part], recipient, sealer });
  const texts = facts.map(({ bytes }) => Buffer.from(bytes).toString('base64'));
  // Before the command: the agent asks for them as soon as it sees it.
  for (let i = 0; i < texts.length; i += factsPerCall) {
    await api.keepFacts({ facts: texts.slice(i, i + factsPerCall) });
  }
  const body = {
    kind: 'restore-grant',
    request: options.id as CommandHash,
    sealed: { kind: 'inline', bytes: sealed },
    packs: keys.size,
  } as const;
  const command = await submitAsOperator({ ...options, body }, api);
  return { command, packs: keys.size, packsOfSnapshot: entries.size };
}

/** The agent is asked for what the request names, and believed nothing else. */
function openManifest(
  { manifest: text, grant }: GrantMaterial,
  cluster: ClusterId,
): { manifest: Manifest; writer: AgentKey } {
  const envelope = new Uint8Array(Buffer.from(text, 'base64'));
  const { hash, statement } = openStatement(envelope, cluster);
  const { body, writer } = statement;
  const isMeant = idOf(hash) === grant.snapshot && body.kind === 'manifest';
  if (!isMeant || body.dataset !== grant.datasetId) {
    throw new HoldfastError(
      'bad-signature',
      'the agent has given another snapshot than was asked for',
      {
        next: 'ask another agent: --state of another host',
      },
    );
  }
  if (grant.knownAs !== grant.dataset) {
    const known = grant.knownAs ?? 'not known here';
    throw new HoldfastError(
      'bad-signature',
      `the request calls the dataset ${grant.dataset}, so that another rule of the policy holds; its name is ${known}`,
      { next: `holdfast approve deny ${grant.id.slice(0, 8)} --reason 'false name'` },
    );
  }
  return { manifest: body, writer };
}

function entriesOf({ segments }: GrantMaterial, manifest: Manifest): Map<PackId, PackEntry> {
  const entries = new Map<PackId, PackEntry>();
  for (const [i, { hash }] of manifest.packSegments.entries()) {
    const fact = new Uint8Array(Buffer.from(segments[i] ?? '', 'base64'));
    if (idOf(factHash(fact)) !== hash) {
      throw new HoldfastError('corrupt', 'a list of packs is not the one that the snapshot names');
    }
    for (const entry of decodePackSegment(fact)) entries.set(entry.pack, entry);
  }
  return entries;
}

async function epochIdentities(
  { identities }: GrantRestoreOptions,
  api: AgentApi,
  { manifest, writer }: { readonly manifest: Manifest; readonly writer: AgentKey },
): Promise<string[]> {
  const { epochs } = await api.keyMaterial();
  const found: string[] = [];
  for (const number of keyEpochsOf(manifest)) {
    const epoch = epochs.find(
      (one) => one.writer === writer && one.dataset === manifest.dataset && one.epoch === number,
    );
    if (epoch === undefined || epoch.files.length === 0) {
      throw new HoldfastError('key-needed', `the key record of epoch ${number} is not here`, {
        next: 'holdfast key list; or ask another agent: --state of another host',
      });
    }
    const files = epoch.files.map((file) => new Uint8Array(Buffer.from(file, 'base64')));
    found.push(await openEpoch(epoch, { files, identities, sealer: ageSealer() }));
  }
  // Most packs of a snapshot are newer than the first epoch: the newest is tried first.
  return found.reverse();
}

/** Packs as the running agent reads them from the members: sealed, and each leaf checked against its pack's id. */
function remotePacks(
  id: string,
  entries: ReadonlyMap<PackId, PackEntry>,
  api: AgentApi,
): Pick<PackReader, 'entry' | 'read' | 'readParts'> {
  const read = async (pack: PackId, offset: number, size: number): Promise<Uint8Array> => {
    const { bytes } = await api.readPack({ id, pack, offset, size });
    return new Uint8Array(Buffer.from(bytes, 'base64'));
  };
  return {
    entry: (pack) => {
      const entry = entries.get(pack);
      if (entry !== undefined) return entry;
      throw new HoldfastError('not-found', `the snapshot does not name pack ${shortId(pack)}`);
    },
    read,
    readParts: async (pack, parts) => {
      const from = parts[0]?.offset ?? 0;
      const size = Math.max(...parts.map((part) => part.offset + part.size)) - from;
      const bytes = await read(pack, from, size);
      return parts.map(({ offset, size }) => bytes.slice(offset - from, offset - from + size));
    },
  };
}
