import { secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { auditCheckpoint, auditSigner } from '../../core/format/audit-checkpoint.ts';
import { encodeSignedCheckpoint, signCheckpoint } from '../../core/format/checkpoint.ts';
import { decodeNote, type NoteSignature } from '../../core/format/signed-note.ts';
import { type AgentKey, idBytes, idOf, type PeerKey } from '../../core/ids.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import { repeat } from '../control/duty.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Caller, Serve } from '../serve.ts';
import type { AuditLog } from './audit-log.ts';
import type { AuditWitness } from './audit-witness.ts';

export type AuditKeeperOptions = {
  readonly audit: AuditLog;
  readonly witness: AuditWitness;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly self: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
};

/** What one member remembers of this host's log, against what stands here. */
export type PeerMemory = {
  readonly agent: AgentKey;
  readonly state: 'agrees' | 'knows-nothing' | 'contradicts' | 'no-answer';
  /** Of the head that it remembers. */
  readonly size: number;
};

const periodMs = 10 * secondMs;
const proofHashesMax = 64;

/** Has other members sign the head of this host's audit log, and signs theirs. */
export class AuditKeeper {
  readonly #options: AuditKeeperOptions;
  /** Size of the log that each member has signed. */
  readonly #signed = new Map<AgentKey, number>();
  #newest: { readonly size: number; readonly note: string } | undefined;

  constructor(options: AuditKeeperOptions) {
    this.#options = options;
  }

  /** The newest signed head, with the signatures of members; undefined before the first round. */
  get newest(): string | undefined {
    return this.#newest?.note;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: trustMessages.auditLogNotSigned } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.round(cancel), options);
  }

  /** One round: everything noted is on disk, then as many members as can be reached sign the head. */
  async round(options: Cancel = {}): Promise<void> {
    const { audit, peers } = this.#options;
    await audit.flush();
    const { size } = audit;
    const asked = peers
      .reachable()
      .filter(({ agentKey }) => this.#signed.get(agentKey) !== size || this.#newest === undefined);
    if (size === 0 || (asked.length === 0 && this.#newest?.size === size)) return;
    const note = this.#sign(size);
    const lines: NoteSignature[] = [...decodeNote(note).signatures];
    const answers = asked.map(async ({ agentKey, peerKey }) => {
      const line = await this.#ask(peerKey, { agentKey, note, size }, options);
      if (line !== undefined) lines.push(...line);
    });
    await Promise.allSettled(answers);
    const isSame = this.#newest?.size === size;
    const { text, signatures } = decodeNote(isSame ? (this.#newest?.note ?? note) : note);
    const all = new Map<string, NoteSignature>();
    for (const line of [...signatures, ...lines]) all.set(`${line.name}/${line.keyId}`, line);
    this.#newest = { size, note: encodeSignedCheckpoint(text, [...all.values()]) };
  }

  #sign(size: number): string {
    const { audit, ledger, self, statementSecret } = this.#options;
    const name = { cluster: ledger.cluster, agent: self, number: audit.number };
    const text = auditCheckpoint(name, { size, root: audit.rootAt(size) });
    return encodeSignedCheckpoint(text, [signCheckpoint(text, auditSigner(self), statementSecret)]);
  }

  /** A member that has seen another size than we think tells which; it is asked once more. */
  async #ask(
    peer: PeerKey,
    head: { readonly agentKey: AgentKey; readonly note: string; readonly size: number },
    options: Cancel,
  ): Promise<readonly NoteSignature[] | undefined> {
    const { agentKey, note, size } = head;
    let oldSize = Math.min(this.#signed.get(agentKey) ?? 0, size);
    for (let attempt = 0; attempt < 2; attempt++) {
      const proof = this.#options.audit.proof(oldSize, size);
      const value = { note, oldSize: BigInt(oldSize), proof };
      const { peers, log } = this.#options;
      const answer = await peers
        .ask(peer, { case: 'cosignAudit', value }, options)
        .catch((error: unknown) => {
          if (codeOf(error) === undefined) throw error;
          // The peer has proof that this log was changed, or a head of a clone of this host.
          const isGrave = codeOf(error) === 'rollback';
          const reason = (error as Error).message;
          log.log(isGrave ? 'error' : 'debug', trustMessages.auditLogRefusedBy, {
            peer,
            reason,
          });
          return undefined;
        });
      if (answer === undefined) return undefined;
      if (answer.note !== '') {
        this.#signed.set(agentKey, size);
        const { text, signatures } = decodeNote(answer.note);
        return text === decodeNote(note).text ? signatures : undefined;
      }
      oldSize = Number(answer.knownSize);
      if (oldSize > size) return undefined;
    }
    return undefined;
  }

  /** What every member remembers of this log. */
  async memories(options: Cancel = {}): Promise<PeerMemory[]> {
    const { ledger, self } = this.#options;
    const others = ledger.roster.members().filter(({ agentKey }) => agentKey !== self);
    return Promise.all(others.map((member) => this.#memoryOf(member, options)));
  }

  async #memoryOf(
    { agentKey: agent, peerKey }: { readonly agentKey: AgentKey; readonly peerKey: PeerKey },
    options: Cancel,
  ): Promise<PeerMemory> {
    const { audit, peers, self } = this.#options;
    const none = { agent, size: 0 };
    if (!peers.isReachable(peerKey)) return { ...none, state: 'no-answer' };
    const answer = await peers
      .ask(peerKey, { case: 'auditHead', value: { agent: idBytes(self) } }, options)
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
        return undefined;
      });
    if (answer === undefined) return { ...none, state: 'no-answer' };
    if (answer.contradiction !== '') return { ...none, state: 'contradicts' };
    if (answer.note === '') return { ...none, state: 'knows-nothing' };
    const { size, isOurs } = this.#compare(answer.note);
    if (size > audit.size || !isOurs) return { agent, size, state: 'contradicts' };
    return { agent, size, state: 'agrees' };
  }

  /** Of an earlier log that was damaged nothing can be said any more. */
  #compare(note: string): { size: number; isOurs: boolean } {
    const { text } = decodeNote(note);
    const [origin = '', count = '0'] = text.split('\n');
    const { audit, ledger, self } = this.#options;
    const size = Number(count);
    const name = { cluster: ledger.cluster, agent: self, number: audit.number };
    if (size > audit.size) return { size, isOurs: false };
    const own = auditCheckpoint(name, { size, root: audit.rootAt(size) });
    return { size, isOurs: own === text || !own.startsWith(origin) };
  }

  /** Lets other members have their logs signed, and ask what is remembered. */
  answer(serve: Pick<Serve, 'register'>): void {
    const { witness } = this.#options;
    serve.register('cosignAudit', async ({ note, oldSize, proof }, caller) => {
      if (proof.length > proofHashesMax) {
        throw new HoldfastError('limit-exceeded', `at most ${proofHashesMax} hashes of a proof`);
      }
      const claim = { oldSize: Number(oldSize), proof: proof.map((hash) => hash.slice()) };
      const answer = await witness.cosign(memberOf(caller), note, claim);
      if (answer.kind === 'signed') return { note: answer.note, knownSize: 0n };
      return { note: '', knownSize: BigInt(answer.size) };
    });
    serve.register('auditHead', async ({ agent }) => {
      if (agent.length !== 32) throw new HoldfastError('bad-encoding', 'a key has 32 bytes');
      const known = await witness.of(idOf<AgentKey>(agent));
      const isCurrent = known !== undefined && known.proof?.number === known.number;
      const contradiction = isCurrent ? (known.proof?.second ?? '') : '';
      return { note: known?.note ?? '', contradiction };
    });
  }
}

function memberOf({ member }: Caller): AgentKey {
  if (member !== undefined) return member.agentKey;
  throw new HoldfastError('not-permitted', 'only members have their audit logs signed');
}
