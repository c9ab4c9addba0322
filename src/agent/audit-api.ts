import { HoldfastError } from '../core/errors.ts';
import type { Manifest } from '../core/format/records.ts';
import { shortId } from '../core/ids.ts';
import type { BackupResult } from '../services/backup.ts';
import type { Agent } from './agent.ts';
import type { AuditApi, AuditHead, AuditVerdict } from './audit-types.ts';

const entriesMax = 512;

export function auditApi(agent: Agent): AuditApi {
  return {
    auditHead: () => head(agent),
    auditEntries: async ({ from, count }) => {
      if (count > entriesMax) {
        throw new HoldfastError('limit-exceeded', `at most ${entriesMax} entries at once`);
      }
      const entries = await agent.audit.log.encoded(from, count);
      return { entries: entries.map((entry) => Buffer.from(entry).toString('base64')) };
    },
    verifyAudit: () => verify(agent),
  };
}

/** Takes a backup down. */
export function auditBackup(agent: Agent, dataset: string, result: BackupResult): void {
  const { record, counts, durability } = result;
  if (record === undefined) return;
  agent.audit.log.note({
    kind: 'backup',
    actor: agent.member().name,
    action: 'backed up',
    subject: `${dataset} ${shortId(record.hash)}`,
    outcome: 'done',
    detail: `${counts.files} files, ${durability?.state ?? 'staged'}${saidWith(record.manifest)}`,
  });
}

function saidWith({ annotations = [] }: Pick<Manifest, 'annotations'>): string {
  return annotations.map(({ key, value }) => `, ${key}=${value}`).join('');
}

async function head(agent: Agent): Promise<AuditHead> {
  const { audit, ledger } = agent;
  await audit.keeper.round();
  const { name, agentKey } = agent.member();
  const checkpoint = audit.keeper.newest;
  return {
    number: audit.log.number,
    size: audit.log.size,
    ...(checkpoint !== undefined && { checkpoint }),
    agent: { name, agentKey },
    clusterId: ledger.cluster,
    members: ledger.roster
      .members()
      .map((member) => ({ name: member.name, site: member.site, agentKey: member.agentKey })),
  };
}

async function verify(agent: Agent): Promise<AuditVerdict> {
  const { audit, ledger } = agent;
  await audit.keeper.round();
  const changedAt = await audit.log.changedOnDisk();
  const memories = await audit.keeper.memories();
  const proofs: AuditVerdict['proofs'] = [];
  for (const { agentKey, name } of ledger.roster.members()) {
    const known = await audit.witness.of(agentKey);
    if (known?.proof === undefined) continue;
    const { number, first, second } = known.proof;
    proofs.push({ name, number, isPast: number < known.number, first, second });
  }
  return {
    size: audit.log.size,
    ...(changedAt !== undefined && { changedAt }),
    putAside: [...audit.log.putAside],
    members: memories.map(({ agent: key, state, size }) => {
      const member = ledger.roster.member(key);
      return { name: member?.name ?? shortId(key), site: member?.site ?? '', state, size };
    }),
    proofs,
  };
}
