import { equal } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import type { JoinResponse } from '../core/format/gen/holdfast/v1/exchange_pb.js';
import { clusterIdOf, decodeGenesis } from '../core/format/genesis.ts';
import { inviteContactsMax } from '../core/format/invite-code.ts';
import { contactFrom, multiaddrsMax } from '../core/format/member.ts';
import type { AgentDescriptor, Contact, InviteCode } from '../core/format/records.ts';
import { clusterStream } from '../core/format/statement.ts';
import type { AgentKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { type OpenedStatement, openStatement } from '../core/protocol/opened-statement.ts';
import { Roster } from '../core/protocol/roster.ts';
import type { Network } from '../ports/network.ts';
import type { Ledger } from './ledger.ts';

/** Statements of an answer; the rest of the message is for the genesis, the new admission and contacts. */
const envelopesSizeMax = limits.messageSizeMax - 128 * 1024;

/** Everything that a new member starts with, checked. */
export type Joined = {
  readonly genesisBytes: Uint8Array;
  /** Statements in an order in which each can be accepted. */
  readonly envelopes: readonly Uint8Array[];
  readonly contacts: readonly Contact[];
};

/** Whatever proves memberships, ours to begin with; then, while there is room, what the others have said. */
export async function provingEnvelopes(ledger: Ledger): Promise<Uint8Array[]> {
  const { roster } = ledger;
  const proving = new Set<AgentKey>([
    roster.genesis.founder.statementKey,
    ...(ledger.self === undefined ? [] : [ledger.self]),
    ...roster.provers(),
  ]);
  const envelopes: Uint8Array[] = [];
  let size = 0;
  for (const writer of new Set([...proving, ...roster.members().map(({ agentKey }) => agentKey)])) {
    const stream = await wholeStream(ledger, writer);
    size += stream.reduce((sum, envelope) => sum + envelope.length + 8, 0);
    if (size <= envelopesSizeMax) envelopes.push(...stream);
    else if (!proving.has(writer)) break;
    else
      throw new HoldfastError('limit-exceeded', 'the cluster has too long a history to join here');
  }
  return envelopes;
}

async function wholeStream(ledger: Ledger, writer: AgentKey): Promise<Uint8Array[]> {
  const count = ledger.head(writer, clusterStream)?.sequence ?? 0;
  const envelopes: Uint8Array[] = [];
  while (envelopes.length < count) {
    const rest = count - envelopes.length;
    const more = await ledger.read(writer, clusterStream, envelopes.length + 1, rest);
    if (more.length === 0) break;
    envelopes.push(...more);
  }
  return envelopes;
}

/** This agent first, then others that have said where they are. */
export function contactsOf({ ledger, network }: { ledger: Ledger; network: Network }): Contact[] {
  const own = { peer: network.self, multiaddrs: network.addresses().slice(0, multiaddrsMax) };
  const others = ledger.roster
    .members()
    .filter(({ peerKey, addresses }) => peerKey !== network.self && addresses.length > 0)
    .map(({ peerKey, addresses }) => ({ peer: peerKey, multiaddrs: addresses }));
  return [own, ...others].slice(0, inviteContactsMax);
}

/**
 * Believes nothing of the answer that is not proved by the cluster id in the code.
 * @throws HoldfastError bad-signature | bad-encoding
 */
export function checkAnswer(
  answer: JoinResponse,
  { code, descriptor }: { code: InviteCode; descriptor: AgentDescriptor },
): Joined {
  const genesisBytes = answer.genesis.slice();
  if (clusterIdOf(genesisBytes) !== code.cluster) {
    throw new HoldfastError('bad-signature', 'the answer is of another cluster than the code');
  }
  const roster = new Roster(decodeGenesis(genesisBytes), code.cluster);
  const opened = answer.envelopes.map((view) => openStatement(view.slice(), code.cluster));
  const ordered = applyAll(roster, opened);
  const self = roster.member(descriptor.statementKey);
  if (self === undefined || self.peerKey !== descriptor.transportKey) {
    throw new HoldfastError(
      'bad-signature',
      'the answer does not prove that this host was admitted',
    );
  }
  return {
    genesisBytes,
    envelopes: ordered.map(({ envelope }) => envelope),
    contacts: answer.contacts.slice(0, limits.membersMax).map(contactFrom),
  };
}

/** Applies until no more is accepted; what is not proved by what came with it is left for later. */
function applyAll(roster: Roster, opened: readonly OpenedStatement[]): OpenedStatement[] {
  const accepted: OpenedStatement[] = [];
  let waiting = [...opened];
  for (let before = -1; before !== waiting.length; ) {
    before = waiting.length;
    const blocked = new Set<string>();
    waiting = waiting.filter((one) => {
      const { writer } = one.statement;
      if (!blocked.has(writer) && isApplied(roster, one, accepted)) return false;
      blocked.add(writer);
      return true;
    });
  }
  return accepted;
}

function isApplied(roster: Roster, one: OpenedStatement, accepted: OpenedStatement[]): boolean {
  const { statement, signers } = one;
  const before = accepted.findLast(({ statement: { writer } }) => writer === statement.writer);
  if (statement.sequence !== (before?.statement.sequence ?? 0) + 1) return false;
  if (before !== undefined && !equal(before.hash, statement.previous)) return false;
  try {
    roster.apply(statement, signers, one.hash);
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
  accepted.push(one);
  return true;
}
