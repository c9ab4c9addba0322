import { equal } from '../base/bytes.ts';
import { sign } from '../core/crypto/signature.ts';
import { HoldfastError } from '../core/errors.ts';
import { decodeResponse, encodeRequest, throwFailure } from '../core/format/exchange.ts';
import type { JoinResponse } from '../core/format/gen/holdfast/v1/exchange_pb.js';
import { admissionMessage, decodeDescriptor, encodeDescriptor } from '../core/format/genesis.ts';
import { contactMessage } from '../core/format/member.ts';
import type { AgentDescriptor, Contact, InviteCode } from '../core/format/records.ts';
import { clusterStream } from '../core/format/statement.ts';
import type { AgentKey, PeerKey } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { AnswerInit, AskedValue } from '../core/protocol/exchange-kinds.ts';
import type { InviteState } from '../core/protocol/roster.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock } from '../ports/runtime.ts';
import type { Audit } from './audit/audit-log.ts';
import { checkAnswer, contactsOf, type Joined, provingEnvelopes } from './join-answer.ts';
import type { Ledger } from './ledger.ts';
import type { Serve } from './serve.ts';

export type { Joined } from './join-answer.ts';

export type AdmitOptions = {
  readonly ledger: Ledger;
  readonly network: Network;
  readonly clock: Clock;
  /** Membership needs a quorum: asked for before anything is said. @throws HoldfastError no-quorum */
  readonly confirm?: () => Promise<void>;
  /** Has the control log take the new member in. */
  readonly admitToLog?: (agent: AgentKey) => Promise<void>;
  readonly audit?: Audit;
};

/** Lets this agent redeem the invites that name it as their issuer. */
export function registerJoin(serve: Pick<Serve, 'register'>, options: AdmitOptions): void {
  serve.register('join', (value, { peer }) => admit(value, peer, options));
}

async function admit(
  { descriptor, inviteSignature, agentSignature }: AskedValue<'join'>,
  inviteKey: PeerKey,
  options: AdmitOptions,
): Promise<AnswerInit<'join'>> {
  const { ledger } = options;
  const { invite, usedBy } = ownInvite(inviteKey, ledger);
  const isAskedAgain = usedBy !== undefined && equal(usedBy.descriptor, descriptor);
  if (usedBy !== undefined && !isAskedAgain) {
    throw new HoldfastError('invite-used', 'the invite has admitted an agent before');
  }
  if (options.clock.nowMs() > invite.notAfterMs) {
    throw new HoldfastError('invite-expired', 'the invite has ended');
  }
  // Before the admission, which cannot be taken back: an agent that gets no answer is a member in name only.
  await provingEnvelopes(ledger);
  if (!isAskedAgain) {
    await options.confirm?.();
    await ledger.append(clusterStream, {
      kind: 'admission',
      inviteKey,
      // Views of the request: the statement outlives it.
      descriptor: descriptor.slice(),
      inviteSignature: inviteSignature.slice(),
      agentSignature: agentSignature.slice(),
    });
    const { statementKey, name, site } = decodeDescriptor(descriptor);
    const event = { actor: name, action: 'joined', subject: site, outcome: 'done' } as const;
    options.audit?.({ ...event, kind: 'join', detail: invite.roles.join(', ') });
    await options.admitToLog?.(statementKey);
  }
  return {
    genesis: ledger.genesisBytes,
    envelopes: await provingEnvelopes(ledger),
    contacts: contactsOf(options).map(contactMessage),
  };
}

/** @throws HoldfastError invite-unknown | not-permitted */
function ownInvite(inviteKey: PeerKey, ledger: Ledger): InviteState {
  const states = ledger.roster.invitesOf(inviteKey);
  const own = states.find(({ invite }) => invite.issuer === ledger.self);
  if (own !== undefined) return own;
  const other = states[0];
  if (other === undefined) throw new HoldfastError('invite-unknown', 'no invite has this key');
  const issuer = ledger.roster.member(other.invite.issuer)?.name ?? 'another member';
  throw new HoldfastError(
    'not-permitted',
    `this invite is redeemed by ${issuer}, not by this agent`,
  );
}

export type JoinOptions = Cancel & {
  /** Opened with the identity that `inviteSecret` makes: members let nobody else in. */
  readonly network: Network;
  readonly code: InviteCode;
  /** Who this host will be; site, region and roles as the code says. */
  readonly descriptor: AgentDescriptor;
  readonly statementSecret: Uint8Array;
  /** 32 bytes, from the code (core/format/invite-code.ts). */
  readonly inviteSecret: Uint8Array;
  readonly clock: Clock;
};

/**
 * Redeems an invite with the member that issued it.
 * @throws HoldfastError usage (a descriptor that the code does not allow) | invite-expired | invite-used |
 *   invite-unknown | not-permitted (the name is taken) | peer-unreachable | bad-signature (a lying issuer)
 */
export async function joinCluster(options: JoinOptions): Promise<Joined> {
  const { code, descriptor, statementSecret, inviteSecret } = options;
  const bytes = encodeDescriptor(descriptor);
  const message = admissionMessage(code.cluster, bytes);
  const body = {
    case: 'join',
    value: {
      descriptor: bytes,
      inviteSignature: sign(inviteSecret, message),
      agentSignature: sign(statementSecret, message),
    },
  } as const;
  const answer = await askContacts(options, encodeRequest({ body }));
  return checkAnswer(answer, options);
}

/** Asks one contact after the other. The first refusal that says something of the invite counts. */
async function askContacts(options: JoinOptions, request: Uint8Array): Promise<JoinResponse> {
  const problems: HoldfastError[] = [];
  for (const contact of options.code.contacts) {
    try {
      return await askContact(contact, options, request);
    } catch (error) {
      if (!(error instanceof HoldfastError) || options.signal?.aborted) throw error;
      problems.push(error);
    }
  }
  const isSilence = ({ code }: HoldfastError): boolean =>
    code === 'peer-unreachable' || code === 'timeout';
  const telling =
    problems.find((problem) => !isSilence(problem) && problem.code !== 'not-permitted') ??
    problems.find((problem) => !isSilence(problem));
  throw telling ?? nobodyAnswered(options, problems[0]);
}

async function askContact(
  { peer, multiaddrs }: Contact,
  options: JoinOptions,
  request: Uint8Array,
): Promise<JoinResponse> {
  const { network } = options;
  const cancel: Cancel = options.signal === undefined ? {} : { signal: options.signal };
  try {
    await network.connect(peer, multiaddrs, cancel);
  } catch (error) {
    throw isCut(error) ? inviteNotOpen(options, error) : error;
  }
  try {
    const timeoutMs = limits.requestTimeoutMs;
    const response = decodeResponse(await network.call(peer, request, { ...cancel, timeoutMs }));
    throwFailure(response);
    if (response.body.case === 'join') return response.body.value;
  } catch (error) {
    const isClosed = error instanceof HoldfastError && error.code === 'peer-unreachable';
    throw isClosed || isCut(error) ? inviteNotOpen(options, error) : error;
  }
  throw new HoldfastError('bad-encoding', 'the member did not answer the request to join');
}

function isCut(error: unknown): boolean {
  return error instanceof HoldfastError && error.details.wasRefused === true;
}

/** A member cuts whoever is neither a member nor invited, before a word is said: so the reason is inferred. */
function inviteNotOpen(options: JoinOptions, cause: unknown): HoldfastError {
  if (options.clock.nowMs() > options.code.notAfterMs) return inviteEnded(options, cause);
  return new HoldfastError(
    'invite-unknown',
    'the member closed the connection: the invite is not open there (it was never made there, or it has ended)',
    { next: 'ask for a new code: holdfast invite', cause },
  );
}

function inviteEnded({ code }: JoinOptions, cause: unknown): HoldfastError {
  const end = new Date(code.notAfterMs).toISOString();
  return new HoldfastError('invite-expired', `the invite ended at ${end}`, {
    next: 'ask for a new code: holdfast invite',
    cause,
  });
}

function nobodyAnswered(options: JoinOptions, cause: HoldfastError | undefined): HoldfastError {
  const { code, clock } = options;
  if (clock.nowMs() > code.notAfterMs) return inviteEnded(options, cause);
  const addresses = code.contacts.flatMap(({ multiaddrs }) => multiaddrs).join(' ');
  return new HoldfastError(
    'peer-unreachable',
    'the member that issued the invite does not answer',
    {
      next: 'check that its agent runs and can be reached from here, then try the same code again',
      details: { addresses },
      cause,
    },
  );
}
