import { decodeKeyRecord } from '../core/format/key-record.ts';
import type { FactHash } from '../core/ids.ts';
import type { KeyEpoch } from '../core/protocol/roster.ts';
import type { Agent } from './agent.ts';
import { hearNews } from './coordinator-news.ts';
import { keysReport, recordFacts } from './key-report.ts';
import type { EpochMaterial, EpochText, KeyApi, KeyHolders, KeyMaterial } from './key-types.ts';

export function keyApi(agent: Agent): KeyApi {
  return {
    keys: async () => {
      await hearNews(agent);
      return keysReport(agent);
    },
    rotateKey: (request) => rotate(agent, request),
    keyMaterial: async () => {
      await agent.control.log.confirm();
      return material(agent);
    },
    stageKeyRecords: async ({ records }) => {
      const hashes: FactHash[] = [];
      for (const record of records) hashes.push(await agent.keys.stage(bytesOf(record)));
      return { hashes };
    },
    unstageKeyRecords: ({ hashes }) => agent.keys.unstage(hashes as FactHash[]),
    keyHolders: ({ epochs }) => holders(agent, epochs),
  };
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

async function rotate(
  agent: Agent,
  { dataset, isFresh }: { dataset: string; isFresh: boolean },
): Promise<{ name: string; epoch: number }> {
  // A key sealed to a kit that was replaced meanwhile would be one that nobody opens.
  await agent.control.log.confirm();
  const { name, keyEpoch } = await agent.datasets.rotate(dataset, { isFresh });
  return { name, epoch: keyEpoch };
}

async function material(agent: Agent): Promise<KeyMaterial> {
  const { keys } = agent.control.log.state;
  const epochs: EpochMaterial[] = [];
  for (const epoch of agent.keys.epochs()) {
    const one = await epochMaterial(agent, epoch);
    if (one !== undefined) epochs.push(one);
  }
  const { version, recipient } = keys.kit;
  const forAll = keys.setOf(undefined).map((one) => ({ ...one }));
  const members = agent.ledger.roster
    .members()
    .map(({ peerKey, addresses }) => ({ peerKey, addresses: [...addresses] }));
  return { version: keys.version, kit: { version, recipient }, forAll, epochs, members };
}

async function epochMaterial(agent: Agent, epoch: KeyEpoch): Promise<EpochMaterial | undefined> {
  const inForce = agent.keys.inForce(epoch);
  if (inForce.state === 'destroyed' || inForce.state === 'unknown') return undefined;
  const { writer, dataset } = epoch;
  const record = await agent.keys.record(epoch);
  const files = record === undefined ? [] : [...decodeKeyRecord(record).files];
  if (inForce.state === 'statement') files.push(epoch.wrappedIdentity);
  const { isStale } = await recordFacts(agent, epoch);
  return {
    ...{ writer, dataset, epoch: epoch.epoch, recipient: epoch.recipient, isStale },
    datasetName: agent.ledger.roster.datasetOf(writer, dataset)?.name ?? dataset,
    ...(inForce.state === 'record' && { inForce: inForce.hash }),
    files: files.map((file) => Buffer.from(file).toString('base64')),
    own: agent.control.log.state.keys.setOf({ writer, dataset }).map((one) => ({ ...one })),
  };
}

async function holders(agent: Agent, epochs: readonly EpochText[]): Promise<KeyHolders> {
  const names = epochs.map((one) => ({ ...one }) as unknown as KeyEpoch);
  const { held, asked } = await agent.keys.holdersOf(names);
  return { held, asked, members: agent.ledger.roster.members().length };
}
