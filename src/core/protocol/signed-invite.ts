import { toHex } from '../../base/bytes.ts';
import type { Invite } from '../format/records.ts';
import type { ClusterId } from '../ids.ts';
import { openEvidence } from './control/evidence.ts';
import type { OpenedStatement } from './opened-statement.ts';

/** An invite, who has signed it, and when it was made by its first author's clock. */
export type SignedInvite = {
  readonly invited: Invite;
  readonly signers: ReadonlySet<string>;
  readonly timeMs: number;
};

/**
 * The invite in a statement: signed at one place it is the statement itself, signed in the control log it lies in the
 * evidence that its issuer tells of. @returns undefined for any other statement
 * @throws HoldfastError bad-encoding | bad-signature | not-permitted
 */
export function signedInvite(
  { statement, signers }: Pick<OpenedStatement, 'statement' | 'signers'>,
  cluster: ClusterId,
): SignedInvite | undefined {
  const { body, writer, timeMs } = statement;
  if (body.kind === 'invite') {
    const keys = new Set<string>(signers.map(toHex));
    // An operator writes invites in a sequence of their own; whoever else does, has not signed it.
    return keys.has(writer) ? { invited: body, signers: keys, timeMs } : undefined;
  }
  if (body.kind !== 'proved-invite') return undefined;
  const proved = openEvidence(body.evidence, cluster);
  const { command } = proved;
  if (command.body.kind !== 'invite' || command.body.issuer !== writer) return undefined;
  return { invited: command.body, signers: proved.signers, timeMs: command.timeMs };
}
