import { annotationsOf } from '../core/format/manifest.ts';
import type { DatasetId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { compressionLevel } from '../core/policy/compression.ts';
import type { Source } from '../ports/source.ts';
import type { BackupJob } from '../services/backup.ts';
import { requireSomePath } from '../services/path-exists.ts';
import type { Agent } from './agent.ts';
import type { AgentOptions } from './agent-ports.ts';
import { selectionOf } from './agent-api.ts';
import type { BackupRequest } from './api.ts';
import { fullRequest } from './configured-request.ts';
import { canariesOf } from './dataset-rules.ts';
import { requireMembership, requireRole } from './membership-loss.ts';
import { isExpiring } from './old-code.ts';

const defaultChunkAverage = 64 * 1024;

/** What a request asks for, with the configuration's part. @throws HoldfastError usage | not-permitted */
export async function backupJobOf(
  agent: Agent,
  request: BackupRequest,
  options: Pick<AgentOptions, 'config' | 'hostName' | 'version' | 'stateDir'> & {
    readonly source: Source;
  },
): Promise<BackupJob> {
  const { config, hostName, version } = options;
  requireMembership(agent);
  requireRole(agent, 'source');
  const name = request.dataset ?? agent.member().name;
  const { full, given, chunkAverage } = fullRequest(request, config.datasets, name);
  const { selection, paths } = selectionOf(full, given, options.stateDir);
  // A source whose disk went back in time learns its own newest statements from its peers first.
  await agent.ledger.ready();
  if (!agent.datasets.isKnown(name)) await requireSomePath(options.source, paths);
  const own = await agent.datasets.ensure(name, chunkAverage ?? defaultChunkAverage);
  await agent.control.writeRight.ask(own.dataset);
  requireMembership(agent);
  const hasRetention = isExpiring(agent, ruleNameOf(agent, own.dataset.id));
  return {
    own,
    incarnation: heldIncarnation(agent, own.dataset.id),
    right: agent.control.writeRight,
    paths,
    selection,
    tags: full.tags,
    annotations: annotationsOf(full.annotations ?? {}),
    host: hostName,
    program: `holdfast ${version}`,
    compressionLevel: compressionLevel(full.compression, config.compression.level),
    dryRun: request.dryRun,
    force: request.force,
    canaries: canariesOf(agent.control, name),
    recoding: { bytesMax: config.repair.recode, isExpiring: hasRetention },
    repacking: {
      belowPercent: config.repair.repack,
      bytesMax: limits.repackBytesMax,
      isExpiring: hasRetention,
    },
  };
}

function ruleNameOf(agent: Agent, dataset: DatasetId): string {
  return agent.ledger.roster.datasetOf(agent.member().agentKey, dataset)?.ruleName ?? '';
}

/** A host that writes beside the live copy stays with the incarnation that it has held. */
function heldIncarnation(agent: Agent, dataset: DatasetId): number {
  const known = agent.control.log.state.incarnations.of(dataset);
  return known?.holder === agent.member().agentKey ? known.incarnation : 0;
}
