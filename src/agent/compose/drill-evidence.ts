import { memoryStatementLog } from '../../adapters/fs/memory-statement-log.ts';
import { systemClock } from '../../adapters/system/runtime.ts';
import type { DrillEvidence, ProvenDrills } from '../../cli/backend.ts';
import { type ErrorCode, HoldfastError } from '../../core/errors.ts';
import { decodeDrillReport } from '../../core/policy/drill-report.ts';
import { shortId } from '../../core/ids.ts';
import { Ledger } from '../../services/ledger.ts';

/**
 * Checks an evidence file as a member would: the genesis names the cluster, signed invites and admissions its
 * members, and each member's reports form one chain without a gap.
 */
export async function proveDrills(evidence: DrillEvidence): Promise<ProvenDrills> {
  const genesisBytes = bytesOf(evidence.genesis);
  const clock = systemClock();
  const ledger = await Ledger.open({ genesisBytes, log: memoryStatementLog(), clock });
  await takeAll(ledger, evidence.statements.map(bytesOf));
  const { roster } = ledger;
  const drills = ledger.drills().map(({ hash, statement, report }) => {
    const member = roster.member(statement.writer);
    const decoded = decodeDrillReport(report);
    if (decoded.agent.key !== statement.writer || decoded.cluster.id !== ledger.cluster) {
      throw tampered('bad-signature', `report ${shortId(hash)} is signed by another than it names`);
    }
    const { name = '', site = '' } = member ?? {};
    const { sequence, writer: key } = statement;
    return { id: hash, agent: { key, name, site }, sequence, report: decoded };
  });
  return { cluster: { id: ledger.cluster, name: roster.genesis.name }, drills };
}

/** In as many rounds as it takes: a statement may need one that stands behind it. @throws what refuses the first that no round takes */
async function takeAll(ledger: Ledger, statements: readonly Uint8Array[]): Promise<void> {
  let left = statements;
  while (left.length > 0) {
    const refused: Uint8Array[] = [];
    let first: { code: ErrorCode; reason: string } | undefined;
    for (const statement of left) {
      const result = await ledger.ingest(statement);
      if (result.outcome === 'accepted' || result.outcome === 'known') continue;
      refused.push(statement);
      const { code, reason } =
        result.outcome === 'refused'
          ? result
          : { code: 'sequence-gap' as const, reason: 'a statement is missing' };
      first ??= { code, reason };
    }
    if (first !== undefined && refused.length === left.length) {
      throw tampered(first.code, first.reason);
    }
    left = refused;
  }
}

function tampered(code: ErrorCode, reason: string): HoldfastError {
  const known = ['bad-encoding', 'sequence-gap', 'equivocation'].includes(code);
  return new HoldfastError(
    known ? code : 'bad-signature',
    `the evidence does not prove what it says: ${reason}`,
    { next: 'ask for the file again: holdfast drill report --format json --out FILE' },
  );
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
