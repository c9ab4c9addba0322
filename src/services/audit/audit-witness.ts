import { equal, fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import {
  auditCosigner,
  auditLogOf,
  auditOrigin,
  auditSigner,
} from '../../core/format/audit-checkpoint.ts';
import {
  type Checkpoint,
  cosignCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  encodeSignedCheckpoint,
  verifyCheckpoint,
} from '../../core/format/checkpoint.ts';
import { verifyConsistency } from '../../core/format/merkle-log.ts';
import { decodeNote } from '../../core/format/signed-note.ts';
import type { AgentKey, ClusterId } from '../../core/ids.ts';
import type { StepStore } from '../../ports/fence-store.ts';
import type { Clock } from '../../ports/runtime.ts';

/** What this host remembers of another's audit log. */
export type Witnessed = {
  readonly number: number;
  readonly size: number;
  readonly root: Uint8Array;
  /** As the agent has signed it. */
  readonly note: string;
  /** Two heads that it has signed and that cannot both be true: entries were changed or taken away. */
  readonly proof?: { readonly number: number; readonly first: string; readonly second: string };
};

export type AuditWitnessOptions = {
  readonly cluster: ClusterId;
  readonly self: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly records: StepStore;
  readonly clock: Clock;
  /** Called once for each log that contradicts itself, with what proves it. */
  readonly onContradiction: (agent: AgentKey, first: string, second: string) => void;
};

export type CosignAnswer =
  | { readonly kind: 'signed'; readonly note: string }
  /** The proof must begin at this size: 409 in C2SP's tlog-witness. */
  | { readonly kind: 'stale'; readonly size: number };

type Stored = Omit<Witnessed, 'root'> & { readonly root: string };

/**
 * Remembers the heads of other members' audit logs, and signs the next one only if it goes on from the last
 * (https://c2sp.org/tlog-witness). What it signs is on disk before it is said.
 */
export class AuditWitness {
  readonly #options: AuditWitnessOptions;
  readonly #turn = new Semaphore(1);

  constructor(options: AuditWitnessOptions) {
    this.#options = options;
  }

  /** Undefined: nothing is remembered. */
  async of(agent: AgentKey): Promise<Witnessed | undefined> {
    const record = await this.#options.records.read(nameOf(agent));
    if (record === undefined) return undefined;
    const { root, ...rest } = JSON.parse(new TextDecoder().decode(record)) as Stored;
    return { ...rest, root: fromHex(root) ?? new Uint8Array(32) };
  }

  /**
   * Checks a head that `agent` has signed against what is remembered.
   * @throws HoldfastError bad-encoding | bad-signature | rollback
   */
  async cosign(
    agent: AgentKey,
    note: string,
    { oldSize, proof }: { readonly oldSize: number; readonly proof: readonly Uint8Array[] },
  ): Promise<CosignAnswer> {
    const release = await this.#turn.acquire();
    try {
      return await this.#cosign(agent, note, oldSize, proof);
    } finally {
      release();
    }
  }

  async #cosign(
    agent: AgentKey,
    note: string,
    oldSize: number,
    proof: readonly Uint8Array[],
  ): Promise<CosignAnswer> {
    const { checkpoint, number } = this.#read(agent, note);
    const known = await this.of(agent);
    const before = known !== undefined && number === known.number ? known : undefined;
    if (known !== undefined && number < known.number) {
      return this.#refuse(agent, known, note, `log ${number} was ended by log ${known.number}`);
    }
    if (before !== undefined && checkpoint.size < before.size) {
      return this.#refuse(agent, before, note, `it had ${before.size} entries before`);
    }
    if (before !== undefined && checkpoint.size === before.size) {
      if (!equal(checkpoint.root, before.root)) {
        return this.#refuse(agent, before, note, 'its entries are not those of before');
      }
    } else if (before !== undefined && before.size > 0) {
      if (oldSize !== before.size) return { kind: 'stale', size: before.size };
      const { size, root } = checkpoint;
      const claim = { oldSize, size, oldRoot: before.root, root, proof };
      if (!verifyConsistency(claim)) {
        return this.#refuse(agent, before, note, 'it does not go on from its entries of before');
      }
    }
    const { size, root } = checkpoint;
    // Kept for ever: a log that begins anew does not undo what was done to the one before.
    const kept = known?.proof === undefined ? {} : { proof: known.proof };
    await this.#write(agent, { number, size, root, note, ...kept });
    return { kind: 'signed', note: this.#sign(checkpoint) };
  }

  #read(agent: AgentKey, note: string): { checkpoint: Checkpoint; number: number } {
    const { cluster } = this.#options;
    const { origin } = decodeCheckpoint(decodeNote(note).text);
    const name = auditLogOf(origin);
    if (name?.agent !== agent || name.cluster !== cluster) {
      throw new HoldfastError('bad-encoding', 'the head is of another log');
    }
    const keys = [auditSigner(agent)];
    const verdict = verifyCheckpoint(note, { origin: auditOrigin(name), keys, threshold: 1 });
    if (verdict.kind !== 'verified') {
      throw new HoldfastError('bad-signature', `the head of the audit log: ${verdict.kind}`);
    }
    return { checkpoint: verdict.checkpoint, number: name.number };
  }

  /** Keeps both heads: each is signed, and they cannot both be true. */
  async #refuse(
    agent: AgentKey,
    known: Witnessed,
    note: string,
    why: string,
  ): Promise<CosignAnswer> {
    if (known.proof?.number !== known.number) {
      const proof = { number: known.number, first: known.note, second: note };
      await this.#write(agent, { ...known, proof });
      this.#options.onContradiction(agent, known.note, note);
    }
    throw new HoldfastError('rollback', `this audit log contradicts itself: ${why}`, {
      next: 'holdfast audit verify',
    });
  }

  #sign(checkpoint: Checkpoint): string {
    const { self, statementSecret: secret, clock } = this.#options;
    const text = encodeCheckpoint(checkpoint);
    const timeSeconds = Math.floor(clock.nowMs() / 1000);
    const line = cosignCheckpoint(text, { by: auditCosigner(self), secret, timeSeconds });
    return encodeSignedCheckpoint(text, [line]);
  }

  async #write(agent: AgentKey, witnessed: Witnessed): Promise<void> {
    const stored: Stored = { ...witnessed, root: toHex(witnessed.root) };
    await this.#options.records.write(nameOf(agent), utf8(JSON.stringify(stored)));
  }
}

function nameOf(agent: AgentKey): string {
  return `audit-${agent}`;
}
