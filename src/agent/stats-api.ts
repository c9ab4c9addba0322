import type { Code } from '../core/policy/code-choice.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import {
  chunkSizes,
  datasetSizes,
  type DatasetSizes,
  mostlyDeadSizes,
  noSizes,
} from '../services/stats/dataset-sizes.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import type { Survey } from '../services/repair/pack-survey.ts';
import type { Agent } from './agent.ts';
import type { DatasetStats, PeerStats, StatsApi, StatsReport } from './stats-types.ts';

export function statsApi(agent: Agent): StatsApi {
  return { stats: (request) => statsReport(agent, request) };
}

async function statsReport(agent: Agent, { dataset }: { dataset?: string }): Promise<StatsReport> {
  const wanted = dataset === undefined ? agent.lines.all() : [agent.lines.find(dataset)];
  const { ledger, packUse } = agent;
  const records = ledger.manifests().filter((record) => !packUse.isDiscarded(record));
  const { survey } = await agent.upkeep.repairs.look();
  const isMember = (key: Parameters<typeof ledger.roster.member>[0]): boolean =>
    ledger.roster.member(key)?.hasRole('storage') === true;
  const codeFor = codesOf(agent);
  const { datasets, signedBytes } = datasetSizes(records, survey, { isMember, codeFor });
  const reports: DatasetStats[] = [];
  for (const record of wanted) {
    reports.push(await datasetReport(agent, record, datasets.get(record.id), survey));
  }
  return {
    datasets: reports,
    peers: peerReports(agent, signedBytes),
    missingLists: survey.missingLists,
  };
}

/** What today's sites allow for the dataset of a snapshot, found once for each. */
function codesOf({ view }: Agent): (record: ManifestRecord) => Code {
  const codes = new Map<string, Code>();
  return ({ manifest: { dataset }, statement: { writer } }) => {
    const key = `${writer}/${dataset}`;
    const code = codes.get(key) ?? view.code({ writer, dataset });
    codes.set(key, code);
    return code;
  };
}

async function datasetReport(
  agent: Agent,
  { id, name, writer }: DatasetRecord,
  sizes: DatasetSizes | undefined,
  survey: Survey,
): Promise<DatasetStats> {
  const unneeded = await agent.packUse.unneeded(id, () => true);
  const own = await agent.datasets.own(id);
  const { storedDataBytes, hotDataBytes, ...known } = sizes ?? noSizes;
  return {
    ...{ name, id, source: agent.nameOf(writer) },
    ...known,
    ...(known.dataPackBytes > 0 && { expansion: storedDataBytes / known.dataPackBytes }),
    ...(hotDataBytes > 0 && { hotExpansion: hotDataBytes / known.dataPackBytes }),
    ...('packs' in unneeded && {
      deadPackBytes: [...unneeded.packs.values()].reduce((sum, { size }) => sum + size, 0),
    }),
    ...(own !== undefined && {
      content: await chunkSizes(own.index, (pack) => survey.packs.has(pack), agent.clock),
      mostlyDead: mostlyDeadSizes(own.index, (pack) => survey.packs.has(pack)),
    }),
  };
}

function peerReports(agent: Agent, signed: ReadonlyMap<string, number>): PeerStats[] {
  const { store, storageBounds } = agent;
  const usage = store?.usage();
  return agent.peers
    .report()
    .filter(({ member }) => member.hasRole('storage'))
    .map(({ member, state, shardBytes, freeBytes, quotaBytes, reserveBytes }): PeerStats => {
      const said =
        state === 'self'
          ? { shardBytes: usage?.bytes, freeBytes: usage?.freeBytes, ...storageBounds }
          : { shardBytes, freeBytes, quotaBytes, reserveBytes };
      return {
        name: member.name,
        site: member.site,
        signedBytes: signed.get(member.agentKey) ?? 0,
        ...definedOf(said),
      };
    });
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function definedOf<T extends object>(value: T): Defined<T> {
  const known = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(known) as Defined<T>;
}
