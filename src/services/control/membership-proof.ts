import { decodeDescriptor } from '../../core/format/genesis.ts';
import type { Invite, StatementBody } from '../../core/format/records.ts';
import { clusterStream } from '../../core/format/statement.ts';
import type { AgentKey, PeerKey } from '../../core/ids.ts';
import { commandOfEvidence } from '../../core/protocol/control/evidence.ts';
import { reopenStatement } from '../../core/protocol/opened-statement.ts';
import type { Ledger } from '../ledger.ts';

/** The signed statements that made somebody a member: envelopes of its invite and its admission. */
export type MembershipProof = { readonly invite: Uint8Array; readonly admission: Uint8Array };

/** @returns undefined for the founder, and while one of the two is not known here */
export async function membershipProof(
  ledger: Ledger,
  agent: AgentKey,
): Promise<MembershipProof | undefined> {
  const invites = new Map<PeerKey, { issuer: AgentKey; envelope: Uint8Array }[]>();
  const admissions: { inviteKey: PeerKey; writer: AgentKey; envelope: Uint8Array }[] = [];
  for (const { writer, stream, sequence } of ledger.heads()) {
    if (stream !== clusterStream) continue;
    for (let from = 1; from <= sequence; ) {
      const envelopes = await ledger.read(writer, stream, from, sequence - from + 1);
      if (envelopes.length === 0) break;
      from += envelopes.length;
      for (const envelope of envelopes) {
        const { body } = reopenStatement(envelope, ledger.cluster).statement;
        const invited = inviteIn(body);
        if (invited !== undefined) {
          const known = invites.get(invited.inviteKey) ?? [];
          invites.set(invited.inviteKey, [...known, { issuer: invited.issuer, envelope }]);
        }
        if (body.kind !== 'admission') continue;
        if (decodeDescriptor(body.descriptor).statementKey !== agent) continue;
        admissions.push({ inviteKey: body.inviteKey, writer: writer as AgentKey, envelope });
      }
    }
  }
  for (const { inviteKey, writer, envelope } of admissions) {
    const invite = invites.get(inviteKey)?.find(({ issuer }) => issuer === writer);
    if (invite !== undefined) return { invite: invite.envelope, admission: envelope };
  }
  return undefined;
}

/** Judged when it came: its signatures need not be looked at again. */
function inviteIn(body: StatementBody): Invite | undefined {
  if (body.kind === 'invite') return body;
  if (body.kind !== 'proved-invite') return undefined;
  const command = commandOfEvidence(body.evidence);
  return command.body.kind === 'invite' ? command.body : undefined;
}
