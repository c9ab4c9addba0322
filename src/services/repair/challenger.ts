import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { mapLimit } from '../../base/concurrency.ts';
import { dayMs, minuteMs, secondMs } from '../../base/units.ts';
import { codeOf, type ErrorCode } from '../../core/errors.ts';
import type { PackEntry } from '../../core/format/facts.ts';
import { leafCountOf } from '../../core/format/shard.ts';
import { type AgentKey, type PackId, shortId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import { bitCount } from '../../core/policy/durability.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { Network } from '../../ports/network.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Cancel, Clock, Entropy, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import { LeafFetcher } from '../leaf-fetcher.ts';
import type { Ledger } from '../ledger.ts';
import { numberBelow } from '../number-below.ts';
import type { Peers } from '../peers.ts';
import type { Standing } from '../standing.ts';
import type { Survey } from './pack-survey.ts';

/** Of a peer, by each that asks: one that lacks 1 % passes 500 questions with a chance of 0.66 %. */
export const leavesPerDay = 500;
const periodMs = Math.floor(dayMs / leavesPerDay);
/** Who has lost a shard says so within this; who has not said so after it, and does not have it, is failing. */
export const confirmMs = 3 * minuteMs;
const askTimeoutMs = 30 * secondMs;
/** As often in a row, some three minutes apart, a peer that shows other leaves may leave one shard without an answer. */
export const unansweredMax = 30;
/** A peer that shows fewer than one leaf for as many questions without an answer is slow, and hides nothing. */
const unansweredPerPass = 3;
/** Shards without an answer that are asked for again: each may take as long as `askTimeoutMs`, in every round. */
const unansweredShards = 4;
/** Who says that its cold store is away is believed for so long. */
const excusedMs = dayMs;
const peersAtOnce = 8;
const recordName = 'challenges';
/** Shards by which a peer is known to fail: one is enough, more say how bad it is. */
const caughtMax = 64;

export type ChallengerOptions = {
  readonly ledger: Ledger;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly network: Pick<Network, 'pull'>;
  readonly survey: () => Promise<Survey>;
  readonly standing: Standing;
  readonly self: AgentKey;
  readonly records: RecordStore;
  readonly alarms: Pick<Alarms, 'raise'>;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** What questions have shown of a peer. Offline is no failure, and no answer yet is neither. */
export type PossessionState = 'good' | 'failing' | 'offline' | 'unknown';

export type PossessionReport = {
  readonly state: PossessionState;
  readonly passed: number;
  readonly failed: number;
  readonly silent: number;
  /** Shards that it has signed for, not taken back, and not shown when asked twice. */
  readonly caught: readonly string[];
  /** Shards of which it has shown nothing lately, neither denied nor shown: see `unansweredMax`. */
  readonly unanswered: readonly string[];
};

type Claim = { readonly entry: PackEntry; readonly index: number };
/** A leaf that was not shown is itself asked for again: who has lost one of a hundred would show another. */
type Question = Claim & { readonly leaf: number };
/** `unanswered`: in a row; `passedBefore`: leaves that the peer had shown by then. */
type Doubt = Question & {
  readonly sinceMs: number;
  unanswered: number;
  readonly passedBefore: number;
};
type Answer = 'passed' | 'failed' | 'silent' | 'excused';
type Known = {
  passed: number;
  failed: number;
  silent: number;
  passedMs: number | undefined;
  readonly doubts: Map<string, Doubt>;
  /** By shard. */
  readonly caught: Map<string, Question>;
};

/** Answers that say that the peer does not have what it has signed for. */
const failures: ReadonlySet<ErrorCode> = new Set(['not-found', 'corrupt', 'io-error']);

/**
 * Has other storage peers prove that they have what they have signed for: a leaf that nobody can foresee, checked
 * against the pack id, on a connection whose far end is known. Nothing can be answered from before, and who asks
 * needs neither key nor shard. Who fails is asked again after it had time to take its word back.
 */
export class Challenger {
  readonly #options: ChallengerOptions;
  readonly #leaves: LeafFetcher;
  readonly #peers = new Map<AgentKey, Known>();

  private constructor(options: ChallengerOptions) {
    this.#options = options;
    this.#leaves = new LeafFetcher({ ...options, store: undefined, purpose: { kind: 'audit' } });
  }

  /** @throws HoldfastError corrupt | io-error */
  static open(options: ChallengerOptions, record: unknown): Challenger {
    const challenger = new Challenger(options);
    // Of an older version's no leaf was noted.
    const noted = Object.entries((record ?? {}) as Record<string, (Claim & { leaf?: number })[]>);
    for (const [agent, claims] of noted) {
      const known = challenger.#of(agent as AgentKey);
      for (const claim of claims) known.caught.set(nameOf(claim), { leaf: 0, ...claim });
    }
    return challenger;
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'info', message: storageMessages.peersNotChallenged } as const;
    return repeat({ ...this.#options, periodMs, failure }, (cancel) => this.round(cancel), options);
  }

  isFailing(agent: AgentKey): boolean {
    return (this.#peers.get(agent)?.caught.size ?? 0) > 0;
  }

  report(member: Member): PossessionReport {
    const { passed, failed, silent, caught, doubts } = this.#of(member.agentKey);
    const unanswered = [...doubts.values()].filter((doubt) => doubt.unanswered > 0);
    return {
      ...{ state: this.#state(member), passed, failed, silent },
      caught: [...caught.keys()],
      unanswered: [...new Set(unanswered.map(nameOf))],
    };
  }

  #state(member: Member): PossessionState {
    const { peers, clock } = this.#options;
    const { caught, passedMs, doubts } = this.#of(member.agentKey);
    if (caught.size > 0) return 'failing';
    if (!peers.isReachable(member.peerKey)) return 'offline';
    const isRecent = passedMs !== undefined && clock.monotonicMs() - passedMs < dayMs;
    const isHiding = [...doubts.values()].some((one) => one.unanswered >= unansweredMax);
    return isRecent && !isHiding ? 'good' : 'unknown';
  }

  #of(agent: AgentKey): Known {
    const known = this.#peers.get(agent);
    if (known !== undefined) return known;
    const fresh: Known = {
      ...{ passed: 0, failed: 0, silent: 0, passedMs: undefined },
      doubts: new Map(),
      caught: new Map(),
    };
    this.#peers.set(agent, fresh);
    return fresh;
  }

  /** One question to each storage peer that is there, and those again that are due. */
  async round({ signal = new AbortController().signal }: Cancel = {}): Promise<void> {
    const { ledger, peers, self, standing } = this.#options;
    const survey = await this.#options.survey();
    const asked = ledger.roster
      .members()
      .filter((member) => member.agentKey !== self && member.hasRole('storage'))
      .filter(({ site, peerKey }) => !standing.isLost(site) && peers.isReachable(peerKey));
    await mapLimit(asked, peersAtOnce, async (member) => {
      await this.#settle(member, survey, signal);
      const claim = this.#pick(member.agentKey, survey);
      if (claim !== undefined) await this.#challenge(member, claim, signal);
    });
  }

  /** Any leaf that the peer has signed for, each as likely as any other. */
  #pick(agent: AgentKey, { packs }: Survey): Claim | undefined {
    let total = 0;
    for (const { entry, words } of packs.values()) total += weightOf(entry, words.get(agent)?.mask);
    let left = this.#below(total);
    for (const { entry, words } of packs.values()) {
      const mask = words.get(agent)?.mask ?? 0;
      left -= weightOf(entry, mask);
      if (left < 0) return { entry, index: this.#indexIn(mask) };
    }
    return undefined;
  }

  #indexIn(mask: number): number {
    const indexes = Array.from({ length: 32 }, (_, i) => i).filter((i) => (mask >>> i) & 1);
    return indexes[this.#below(indexes.length)] ?? 0;
  }

  #below(count: number): number {
    return numberBelow(this.#options.entropy, count);
  }

  async #challenge(member: Member, claim: Claim, signal: AbortSignal): Promise<void> {
    const known = this.#of(member.agentKey);
    const leaf = this.#below(leavesOf(claim.entry));
    const name = `${nameOf(claim)}/${leaf}`;
    const passedBefore = known.passed;
    const answer = await this.#ask(member, { ...claim, leaf }, signal);
    if (answer === 'passed' || known.caught.has(nameOf(claim)) || known.doubts.has(name)) return;
    const unanswered = answer === 'failed' ? 0 : 1;
    if (unanswered > 0 && isFull(known.doubts)) return;
    const sinceMs = this.#options.clock.monotonicMs();
    known.doubts.set(name, { ...claim, leaf, sinceMs, unanswered, passedBefore });
  }

  async #ask(
    { agentKey, peerKey, site }: Member,
    { entry, index, leaf }: Question,
    signal: AbortSignal,
  ): Promise<Answer> {
    const known = this.#of(agentKey);
    const { clock, log } = this.#options;
    const timeout = new AbortController();
    const late = clock.sleep(askTimeoutMs, { signal: timeout.signal }).then(() => timeout.abort());
    late.catch(() => {});
    try {
      const stop = AbortSignal.any([signal, timeout.signal]);
      await this.#leaves.fetch(entry, { peer: peerKey, site, index }, { leaf, count: 1 }, stop);
      known.passed++;
      known.passedMs = clock.monotonicMs();
      return 'passed';
    } catch (error) {
      signal.throwIfAborted();
      const code = codeOf(error);
      if (code === undefined && !timeout.signal.aborted) throw error;
      if (code !== undefined && failures.has(code)) {
        known.failed++;
        log.log('warn', storageMessages.leafNotShown, {
          agent: agentKey,
          pack: entry.pack,
          index,
          leaf,
          code,
        });
        return 'failed';
      }
      known.silent++;
      return code === 'store-unreachable' ? 'excused' : 'silent';
    } finally {
      timeout.abort();
    }
  }

  /**
   * Asks again what was not shown: it is shown now, or was taken back meanwhile, or the peer is failing. So is one that
   * gives no answer about a shard for an hour and a half, in which it shows others: who has lost something and knows
   * it would do just that.
   */
  async #settle(member: Member, survey: Survey, signal: AbortSignal): Promise<void> {
    const known = this.#of(member.agentKey);
    const isClaimed = ({ entry, index }: Claim): boolean =>
      (((survey.packs.get(entry.pack)?.words.get(member.agentKey)?.mask ?? 0) >>> index) & 1) === 1;
    for (const [name, claim] of [...known.caught]) {
      const answer = isClaimed(claim) ? await this.#ask(member, claim, signal) : 'passed';
      if (answer === 'silent') break;
      if (answer !== 'passed') continue;
      known.caught.delete(name);
      await this.#save();
    }
    for (const [name, doubt] of [...known.doubts]) {
      if (this.#options.clock.monotonicMs() - doubt.sinceMs < confirmMs) continue;
      const answer = isClaimed(doubt) ? await this.#ask(member, doubt, signal) : 'passed';
      if (answer === 'silent' || answer === 'excused') {
        doubt.unanswered++;
        if (!this.#isHidden(known, doubt, answer)) continue;
      }
      known.doubts.delete(name);
      if (answer !== 'passed' && known.caught.size < caughtMax) {
        await this.#catch(member, doubt, answer);
      }
    }
  }

  #isHidden({ passed }: Known, doubt: Doubt, answer: Answer): boolean {
    const { unanswered, passedBefore, sinceMs } = doubt;
    if (unanswered < unansweredMax) return false;
    if (passed - passedBefore < unanswered / unansweredPerPass) return false;
    return answer === 'silent' || this.#options.clock.monotonicMs() - sinceMs >= excusedMs;
  }

  async #catch(
    { agentKey, name, site }: Member,
    { entry, index, leaf }: Question,
    answer: Answer,
  ): Promise<void> {
    const question = { entry, index, leaf };
    this.#of(agentKey).caught.set(nameOf(question), question);
    await this.#save();
    const what = `leaf ${leaf} of shard ${index} of pack ${shortId(entry.pack)}`;
    const problem =
      answer === 'failed'
        ? `does not have ${what}`
        : `shows other leaves and, asked ${unansweredMax} times, not ${what}`;
    void this.#options.alarms.raise({
      kind: 'peer-failing',
      subject: name,
      text: `${name} (site ${site}) ${problem}, for which it has signed: nothing at it counts any more, and what it should have is made anew elsewhere: holdfast peer show ${name}`,
      facts: { agent: agentKey, name, site, pack: entry.pack, index: String(index) },
    });
  }

  async #save(): Promise<void> {
    const caught = [...this.#peers].filter(([, known]) => known.caught.size > 0);
    const record = Object.fromEntries(
      caught.map(([agent, one]) => [agent, [...one.caught.values()]]),
    );
    await this.#options.records.write(recordName, utf8(JSON.stringify(record)));
  }
}

/** Who was failing when it was last written down. @throws HoldfastError corrupt | io-error */
export async function readChallenges(records: RecordStore): Promise<unknown> {
  const record = await records.read(recordName);
  const text = record === undefined ? undefined : fromUtf8(record);
  return text === undefined ? undefined : JSON.parse(text);
}

function isFull(doubts: ReadonlyMap<string, Doubt>): boolean {
  return [...doubts.values()].filter((one) => one.unanswered > 0).length >= unansweredShards;
}

/** Leaves that these shards have. */
function weightOf(entry: PackEntry, mask = 0): number {
  return bitCount(mask) * leavesOf(entry);
}

function leavesOf({ k, size }: PackEntry): number {
  return leafCountOf({ k, packSize: size });
}

function nameOf({ entry, index }: Claim): `${PackId}/${number}` {
  return `${entry.pack}/${index}`;
}
