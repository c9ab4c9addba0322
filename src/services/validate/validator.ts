import { Channel } from '../../base/channel.ts';
import { utf8, toHex } from '../../base/bytes.ts';
import { hash } from '../../core/crypto/hash.ts';
import { type AgentKey, type DatasetId, type PackId, shortId } from '../../core/ids.ts';
import type { LockRule } from '../../core/policy/lock.ts';
import { hasSequence } from '../../core/policy/sequence-ranges.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { Compute } from '../../ports/compute.ts';
import type { LockLedger } from '../../ports/lock-ledger.ts';
import type { Network } from '../../ports/network.ts';
import type { Clock, Entropy, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { ShardHolder } from '../holder-history.ts';
import { LeafFetcher } from '../leaf-fetcher.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import { numberBelow } from '../number-below.ts';
import type { PackUse } from '../pack-use.ts';
import type { Peers } from '../peers.ts';
import { surveyPacks } from '../repair/pack-survey.ts';
import type { Standing } from '../standing.ts';
import { ChainCheck, type ChainCheckResult } from './chain-check.ts';
import { DecodeCheck, type DecodeCheckResult } from './decode-check.ts';
import { LockCheck } from './lock-check.ts';
import {
  type ValidationCheck,
  type ValidationFinding,
  type ValidationProgress,
  type ValidationScope,
  validationChecks,
} from './validation.ts';

export type ValidatorOptions = {
  readonly ledger: Ledger;
  readonly facts: FactStore;
  readonly peers: Peers;
  readonly network: Network;
  readonly self: AgentKey;
  /** Undefined on an agent that holds no shards. */
  readonly store: ShardStore | undefined;
  readonly locks: LockLedger;
  readonly packUse: Pick<PackUse, 'isDiscarded'>;
  readonly standing: Standing;
  readonly state: () => ControlState;
  readonly compute: Compute;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

export type ValidationRequest = ValidationScope & {
  /** Of the packs, this part is read whole and decoded: 0 to 1; a few are in any case. */
  readonly decodeShare: number;
};

export type ValidationResult = DecodeCheckResult &
  ChainCheckResult & {
    readonly snapshots: number;
    readonly locks: number;
    /** Lists of packs that have not arrived: what they name was not looked at. */
    readonly missingLists: number;
    /** Of the newest snapshot of each sequence: H_fact of lines "writer dataset sequence hash", sorted. */
    readonly heads: string;
    readonly findings: readonly ValidationFinding[];
    readonly findingCounts: Readonly<Record<ValidationCheck, number>>;
  };

export type ValidatorProgress =
  | { readonly kind: 'status'; readonly current: string; readonly done: number }
  | { readonly kind: 'finding'; readonly finding: ValidationFinding }
  | { readonly kind: 'done'; readonly result: ValidationResult };

/** Kept for the result; all are counted and told. */
const findingsMax = 1000;
const decodedMin = 8;

/**
 * Looks at everything that a member without any key can see, as if this host had concluded nothing yet: histories
 * and their signatures, whether packs can be put together, locks. Changes nothing.
 */
export class Validator {
  readonly #options: ValidatorOptions;

  constructor(options: ValidatorOptions) {
    this.#options = options;
  }

  run(request: ValidationRequest, signal: AbortSignal): AsyncIterable<ValidatorProgress> {
    return Channel.of<ValidatorProgress>(async (channel) => ({
      kind: 'done',
      result: await this.#run(request, channel, signal),
    }));
  }

  async #run(
    request: ValidationRequest,
    channel: Channel<ValidatorProgress>,
    signal: AbortSignal,
  ): Promise<ValidationResult> {
    const { ledger, packUse, facts } = this.#options;
    const findings: ValidationFinding[] = [];
    const counts = Object.fromEntries(validationChecks.map((check) => [check, 0]));
    const progress: ValidationProgress = {
      onFinding: (finding) => {
        counts[finding.check] = (counts[finding.check] ?? 0) + 1;
        if (findings.length < findingsMax) findings.push(finding);
        channel.push({ kind: 'finding', finding });
      },
      onStep: (step) => channel.latest({ kind: 'status', ...step }),
      signal,
    };
    const isDiscarded = (record: ManifestRecord): boolean => packUse.isDiscarded(record);
    const records = ledger.manifests(request.dataset).filter((record) => !isDiscarded(record));
    const chains = await this.#chains().run(request, progress);
    const survey = await surveyPacks({ ledger, facts, isDiscarded });
    const isAsked = ({ record }: { record: ManifestRecord }): boolean =>
      request.dataset === undefined || record.manifest.dataset === request.dataset;
    const asked = [...survey.packs.values()].filter(isAsked);
    const names = asked.map(({ entry }) => entry.pack);
    const decoded = this.#drawn(names, request.decodeShare);
    const packs = await this.#packs().run(asked, survey.usersOf, decoded, progress);
    const locks = await this.#locks().run(records, progress);
    return {
      ...packs,
      ...chains,
      snapshots: records.length,
      locks: locks.locks,
      peersSilent: [...new Set([...chains.peersSilent, ...locks.peersSilent])].sort(),
      missingLists: survey.missingLists,
      heads: headsHash(records),
      findings,
      findingCounts: counts as Record<ValidationCheck, number>,
    };
  }

  #chains(): ChainCheck {
    const { ledger, peers, state } = this.#options;
    return new ChainCheck({ ledger, peers, anchors: state().anchors.all() });
  }

  #packs(): DecodeCheck {
    const { ledger, peers, standing, self, store, compute, entropy } = this.#options;
    const { network, clock, log } = this.#options;
    const purpose = { kind: 'audit' } as const;
    const leaves = new LeafFetcher({ network, store, compute, clock, log, purpose });
    const holderOf = (agent: AgentKey): Pick<ShardHolder, 'peer' | 'site'> | undefined => {
      const member = ledger.roster.member(agent);
      if (member === undefined) return undefined;
      const { peerKey, site } = member;
      if (agent === self) return { peer: 'self', site };
      return peers.isReachable(peerKey) ? { peer: peerKey, site } : undefined;
    };
    const counts = (agent: AgentKey): boolean => {
      const member = ledger.roster.member(agent);
      return member?.hasRole('storage') === true && !standing.isLost(member.site);
    };
    const snapshotName = (record: ManifestRecord): string => this.#nameOf(record);
    return new DecodeCheck({ leaves, compute, entropy, counts, holderOf, snapshotName });
  }

  #locks(): LockCheck {
    const { ledger, peers, locks, state, clock } = this.#options;
    const ruleOf = ({ statement, manifest }: ManifestRecord): LockRule | undefined => {
      const name = ledger.roster.datasetOf(statement.writer, manifest.dataset)?.ruleName ?? '';
      return state().policy.ruleFor(name).lock;
    };
    const isUnlocked = ({ statement, manifest }: ManifestRecord): boolean => {
      const fate = state().fates.of(statement.writer, manifest.dataset);
      return hasSequence(fate?.unlocked ?? [], manifest.sequence);
    };
    const snapshotName = (record: ManifestRecord): string => this.#nameOf(record);
    const nowMs = clock.nowMs();
    return new LockCheck({ ledger, peers, locks, ruleOf, isUnlocked, snapshotName, nowMs });
  }

  /** So many of them, and some at least; nobody can foresee which. */
  #drawn(packs: PackId[], share: number): ReadonlySet<PackId> {
    const count = Math.min(packs.length, Math.max(decodedMin, Math.ceil(packs.length * share)));
    const drawn = new Set<PackId>();
    while (drawn.size < count) {
      const [pack] = packs.splice(numberBelow(this.#options.entropy, packs.length), 1);
      if (pack !== undefined) drawn.add(pack);
    }
    return drawn;
  }

  #nameOf({ hash: id, manifest, statement }: ManifestRecord): string {
    const { roster } = this.#options.ledger;
    const dataset = roster.datasetOf(statement.writer, manifest.dataset)?.name;
    return `${dataset ?? shortId(manifest.dataset as DatasetId)} ${shortId(id)}`;
  }
}

/** One short text for the state that was looked at: two validations of the same have the same. */
function headsHash(records: readonly ManifestRecord[]): string {
  const newest = new Map<string, ManifestRecord>();
  for (const record of records) {
    const name = `${record.statement.writer} ${record.manifest.dataset}`;
    const known = newest.get(name);
    if (known === undefined || known.manifest.sequence < record.manifest.sequence) {
      newest.set(name, record);
    }
  }
  const lines = [...newest].map(([name, { manifest, hash: id }]) => {
    return `${name} ${manifest.sequence} ${id}\n`;
  });
  return toHex(hash('fact', utf8(lines.sort().join(''))));
}
