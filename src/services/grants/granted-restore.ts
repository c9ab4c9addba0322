import { utf8 } from '../../base/bytes.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import type { CommandHash } from '../../core/format/control-records.ts';
import { type FactHash, type PackId, shortId } from '../../core/ids.ts';
import { coldWords } from '../../core/policy/cold-estimate.ts';
import type { PathPattern } from '../../core/policy/path-pattern.ts';
import type { RestoreGrant } from '../../core/protocol/control/restore-grant.ts';
import type { RestorePlaces } from '../../ports/restore-place.ts';
import type { Cancel, Clock } from '../../ports/runtime.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { Audit } from '../audit/audit-log.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import { openGrant } from '../plan/grant.ts';
import type { GrantFacts } from '../plan/grant-facts.ts';
import { type RestoreEvent, type RestoreSummary, restoreSnapshot } from '../restore.ts';
import { splitPath } from '../snapshot-reader.ts';
import type { SnapshotSession } from '../snapshot-session.ts';
import type { OneTimeKey, OneTimeKeys } from './one-time-keys.ts';

export type GrantedRestoreOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'self' | 'submit'>;
  readonly ledger: Pick<Ledger, 'manifest'>;
  readonly session: SnapshotSession;
  readonly places: RestorePlaces;
  readonly facts: GrantFacts;
  readonly keys: OneTimeKeys;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly audit: Audit;
};

/** What a grant is used for. */
export type GrantedOrder = {
  readonly id: CommandHash;
  /** Absolute. */
  readonly target: string;
  /** Below what the grant covers; undefined: all of that. */
  readonly path: string | undefined;
  readonly include: readonly PathPattern[];
  readonly exclude: readonly PathPattern[];
};

/**
 * Restores what operators have granted to this host, once. The use is in the control log before the first byte is
 * read; one that is cut off may be gone on with, into the same directory, until it is through or its time is over.
 */
export class GrantedRestore {
  readonly #options: GrantedRestoreOptions;

  constructor(options: GrantedRestoreOptions) {
    this.#options = options;
  }

  /** @throws HoldfastError not-permitted | key-needed | not-found | unsafe-target | no-quorum | too-few-shards | ... */
  async *run(order: GrantedOrder, options: Cancel = {}): AsyncGenerator<RestoreEvent> {
    const { keys, ledger, places } = this.#options;
    const grant = this.#require(order.id);
    const path = pathWithin(grant, order);
    const key = await keys.of(grant.request.recipient);
    if (key === undefined) throw lost(grant);
    requireSameTarget(grant, key, order);
    const record = ledger.manifest(grant.request.snapshot);
    if (record === undefined) {
      const what = `snapshot ${shortId(grant.request.snapshot)} is not known here yet`;
      throw new HoldfastError('not-found', what, { next: 'holdfast snapshots' });
    }
    // All that may fail without a byte of the snapshot comes before the grant is used up.
    const granted = await this.#open(grant, key, options);
    await using target = await places.open(order.target, { name: `holdfast grant ${grant.id}` });
    await keys.keepTarget(grant.request.recipient, key, order.target);
    const sinceIndex = await this.#use(grant);
    this.#note(grant, 'began to restore under a grant', 'done', '');
    const keyOf = granted.get.bind(granted);
    const purpose = { kind: 'grant', request: grant.id, sinceIndex } as const;
    const { session, clock } = this.#options;
    const signal = options.signal ?? new AbortController().signal;
    const opened = await session.open(record, { keyOf }, { signal, purpose });
    const { reader, packs, frames } = opened;
    await using _ = frames;
    const cold = await opened.places.look({ signal });
    if (cold !== undefined) yield { type: 'notice', message: coldWords(cold), cold };
    const { include, exclude } = order;
    const what = { snapshot: record.hash, path: splitPath(utf8(path)), include, exclude };
    const full = { ...what, overwrite: 'if-changed' as const, dryRun: false };
    const stats = () => packs.stats;
    const events = restoreSnapshot({ reader, target, order: full, clock, stats, signal });
    for await (const event of events) {
      if (event.type === 'summary') yield* this.#finish(grant, record, event.summary);
      yield event;
    }
  }

  #require(id: CommandHash): RestoreGrant {
    const { control } = this.#options;
    const grant = control.state.restoreGrants.of(id);
    const asked = grant === undefined ? control.state.proposals.of(id) : undefined;
    const short = id.slice(0, 8);
    if (asked?.state === 'denied' || asked?.state === 'expired') {
      const reason = asked.reason === '' ? '' : `: ${asked.reason}`;
      throw new HoldfastError('not-permitted', `request ${short} is ${asked.state}${reason}`, {
        next: 'ask anew: holdfast restore request SNAPSHOT --reason TEXT',
        details: { state: asked.state },
      });
    }
    if (asked?.state === 'open') {
      throw new HoldfastError('approval-needed', `too few operators have approved ${short}`, {
        next: `holdfast approve sign ${short} --operator-key FILE`,
      });
    }
    if (grant?.request.agent !== control.self) {
      throw new HoldfastError('not-found', `this host was granted nothing as ${id.slice(0, 8)}`, {
        next: 'holdfast restore grants',
      });
    }
    const { state, endIndex, reason } = grant;
    if (state === 'granted' || state === 'in-use') return grant;
    if (state === 'approved') {
      throw new HoldfastError(
        'approval-needed',
        `${id.slice(0, 8)} is approved, and has no keys yet`,
        {
          next: `whoever holds the kit or an identity: holdfast restore grant ${id.slice(0, 8)} --kit FILE`,
        },
      );
    }
    const why = reason === '' ? '' : `: ${reason}`;
    throw new HoldfastError(
      'not-permitted',
      `grant ${id.slice(0, 8)} opens nothing more: it is ${state}, since entry ${endIndex}${why}`,
      { next: 'ask anew: holdfast restore request SNAPSHOT --reason TEXT', details: { state } },
    );
  }

  async #open(
    { grant, request, id }: RestoreGrant,
    { identity }: OneTimeKey,
    options: Cancel,
  ): Promise<ReadonlyMap<PackId, Uint8Array>> {
    const { facts, sealer } = this.#options;
    if (grant?.keys === undefined) throw lost({ id });
    const sealed = await facts.sealed(grant.keys.sealed, options);
    const fetch = (hashes: readonly FactHash[]) => facts.fetch(hashes, options);
    const all = await openGrant({ sealed, identity, sealer, fetch });
    const keys = all.get(request.snapshot);
    if (keys !== undefined) return keys;
    throw new HoldfastError('corrupt', `grant ${id.slice(0, 8)} holds keys of something else`, {
      next: 'ask anew: holdfast restore request SNAPSHOT --reason TEXT',
    });
  }

  /** @returns the index that whoever serves this host must have applied. */
  async #use({ id, state, useIndex, wait }: RestoreGrant): Promise<number> {
    const { control } = this.#options;
    if (state === 'in-use') return wait.generation === control.state.generation ? useIndex : 0;
    const answer = await control.submit({ kind: 'restore-use', request: id });
    if (answer.outcome === 'applied') return answer.index;
    throw new HoldfastError('not-permitted', `the grant cannot be used: ${answer.reason}`, {
      next: 'holdfast restore grants',
    });
  }

  async *#finish(
    grant: RestoreGrant,
    { manifest }: ManifestRecord,
    { files, bytes, filesLost }: RestoreSummary,
  ): AsyncGenerator<RestoreEvent> {
    const { control, keys } = this.#options;
    const what = `${files} files, ${bytes} bytes of dataset ${manifest.dataset.slice(0, 8)}`;
    if (filesLost > 0) {
      this.#note(grant, 'restored under a grant', 'failed', `${what}; ${filesLost} files missing`);
      const message = `grant ${grant.id.slice(0, 8)} stays open for this directory: run the same again when more members answer`;
      yield { type: 'notice', message };
      return;
    }
    this.#note(grant, 'restored under a grant', 'done', what);
    await keys.forget(grant.request.recipient);
    const end = { kind: 'restore-end', request: grant.id, outcome: 'used' } as const;
    try {
      await control.submit({ ...end, reason: what });
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      // The key is gone: it opens nothing more whatever the log says, and ends by itself there.
      yield {
        type: 'notice',
        message: `that it was used could not be said: ${(error as Error).message}`,
      };
    }
  }

  #note(
    { id, request }: RestoreGrant,
    action: string,
    outcome: 'done' | 'failed',
    detail: string,
  ): void {
    const subject = `snapshot ${shortId(request.snapshot)} of ${request.name}`;
    const more = `grant ${id.slice(0, 8)}${detail === '' ? '' : `: ${detail}`}`;
    const event = { actor: 'this host', action, subject, outcome, detail: more } as const;
    this.#options.audit({ ...event, kind: 'restore' });
  }
}

/** @throws HoldfastError not-permitted (beyond what was granted) */
function pathWithin({ id, request }: RestoreGrant, { path }: GrantedOrder): string {
  const granted = request.path;
  if (path === undefined || path === '' || path === '/') return granted;
  const isWithin = granted === '' || path === granted || path.startsWith(`${granted}/`);
  if (isWithin) return path;
  throw new HoldfastError('not-permitted', `grant ${id.slice(0, 8)} is for ${granted} alone`, {
    next: `ask for it: holdfast restore request SNAPSHOT:${path} --reason TEXT`,
  });
}

function requireSameTarget({ id }: RestoreGrant, key: OneTimeKey, order: GrantedOrder): void {
  if (key.target === undefined || key.target === order.target) return;
  const what = `grant ${id.slice(0, 8)} is in use for ${key.target}`;
  throw new HoldfastError('not-permitted', `${what}: it restores once`, {
    next: `go on there: -t ${key.target}; or ask for another: holdfast restore request`,
  });
}

function lost({ id }: Pick<RestoreGrant, 'id'>): HoldfastError {
  const what = `this host has no key (any more) that opens grant ${id.slice(0, 8)}`;
  return new HoldfastError('key-needed', what, {
    next: 'ask anew: holdfast restore request SNAPSHOT --reason TEXT',
  });
}
