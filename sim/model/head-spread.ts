import { limits } from '../../src/core/limits.ts';
import type { Prng } from '../prng.ts';
import { normal, uniform } from './draws.ts';
import { EventQueue } from './event-queue.ts';
import {
  boundedConnections,
  connectionsMax,
  gatherMs,
  headsAnswerSize,
  lazyPeersMin,
  meshDegree,
  peersAtOnce,
} from './traffic.ts';

/** When each reachable agent has learnt one new statement, in ms after it was signed, first to last. */
export type Spread = Float64Array;

/** A connection whose far end has just gone without a word: what is sent there is lost. */
const stalledPerMille = 20;
/** One way, in ms: half are below the median; one in a hundred takes five times as long. */
const latencyMedianMs = 30;
const latencySpread = 0.7;
const uplinkMinPerMs = 5e6 / 8 / 1000;
const uplinkMaxPerMs = 1000e6 / 8 / 1000;
const heartbeatMs = 1000;
const lazyHeartbeats = 3;

const learn = 0;
const tellNames = 1;
const compare = 2;

/** What lies between agents, the same for both designs. Draws are taken from a table: millions are needed. */
class Lines {
  readonly prng: Prng;
  readonly #latencies: Float64Array;
  readonly queue = new EventQueue();
  readonly learntMs: Float64Array;

  constructor(online: number, prng: Prng) {
    this.prng = prng;
    this.#latencies = Float64Array.from(
      { length: 4096 },
      () => latencyMedianMs * Math.exp(latencySpread * normal(prng)),
    );
    this.learntMs = new Float64Array(online).fill(Number.POSITIVE_INFINITY);
  }

  latencyMs(): number {
    return this.#latencies[this.prng.next() & 4095] as number;
  }

  isStalled(): boolean {
    return this.prng.chance(stalledPerMille);
  }

  has(agent: number): boolean {
    return (this.learntMs[agent] as number) < Number.POSITIVE_INFINITY;
  }

  someone(): number {
    return this.prng.below(this.learntMs.length);
  }
}

/**
 * The shipped design: who learns a statement tells everybody it is connected to; who hears of it asks the teller
 * for all heads and then for the statement, three tellers at once; an uplink sends one answer after the other.
 * A lost message is made good by the next round of anti-entropy with that peer.
 */
export function spreadShipped(online: number, members: number, prng: Prng): Spread {
  const lines = new Lines(online, prng);
  const { queue, learntMs } = lines;
  const uplinks = Float64Array.from(
    { length: online },
    () => uplinkMinPerMs * (uplinkMaxPerMs / uplinkMinPerMs) ** uniform(prng),
  );
  const freeMs = new Float64Array(online);
  const asked = new Uint8Array(online);
  const answerSize = headsAnswerSize(members);
  const tell = (from: number, to: number, nowMs: number): void => {
    if (from === to || lines.has(to) || (asked[to] as number) >= peersAtOnce) return;
    asked[to] = (asked[to] as number) + 1;
    const waitMs = lines.isStalled() ? limits.syncPeriodMs * uniform(prng) : lines.latencyMs();
    const askedMs = nowMs + uniform(prng) * gatherMs + waitMs + lines.latencyMs();
    const sentMs =
      Math.max(askedMs, freeMs[from] as number) + answerSize / (uplinks[from] as number);
    freeMs[from] = sentMs;
    queue.push(sentMs + 3 * lines.latencyMs(), learn, to);
  };
  for (queue.push(0, learn, 0); !queue.isEmpty; ) {
    const { time, subject } = queue;
    queue.pop();
    if (lines.has(subject)) continue;
    learntMs[subject] = time;
    if (online - 1 <= connectionsMax) {
      const start = lines.someone();
      for (let i = 0; i < online; i++) tell(subject, (start + i) % online, time);
    } else for (let i = 0; i < connectionsMax; i++) tell(subject, lines.someone(), time);
  }
  return learntMs.sort();
}

/**
 * The bounded design: the statement itself goes to the writer's connections and on over the mesh; names of what
 * was seen go to six others for three heartbeats; each agent compares with one peer a period.
 */
export function spreadBounded(online: number, prng: Prng): Spread {
  const lines = new Lines(online, prng);
  const { queue, learntMs } = lines;
  const mesh = meshOf(online, prng);
  const send = (to: number, nowMs: number): void => {
    if (!lines.has(to) && !lines.isStalled()) queue.push(nowMs + lines.latencyMs(), learn, to);
  };
  for (let i = 0; i < online; i++) queue.push(uniform(prng) * limits.syncPeriodMs, compare, i);
  for (queue.push(0, learn, 0); !queue.isEmpty; ) {
    const { time, kind, subject } = queue;
    queue.pop();
    if (kind === learn && !lines.has(subject)) {
      learntMs[subject] = time;
      for (const peer of mesh[subject] as number[]) send(peer, time);
      const flood = subject === 0 ? Math.min(boundedConnections, online - 1) : 0;
      for (let i = 0; i < flood; i++) send(lines.someone(), time);
      const beatMs = time + uniform(prng) * heartbeatMs;
      for (let i = 0; i < lazyHeartbeats; i++)
        queue.push(beatMs + i * heartbeatMs, tellNames, subject);
    } else if (kind === tellNames) {
      for (let i = 0; i < lazyPeersMin; i++) send(lines.someone(), time + 2 * lines.latencyMs());
    } else if (kind === compare && !lines.has(subject)) {
      if (lines.has(lines.someone())) queue.push(time + 2 * lines.latencyMs(), learn, subject);
      else queue.push(time + limits.syncPeriodMs, compare, subject);
    }
  }
  return learntMs.sort();
}

/** Each agent grafts half of the links that it will have. */
function meshOf(online: number, prng: Prng): number[][] {
  const mesh: number[][] = Array.from({ length: online }, () => []);
  const grafts = Math.min(meshDegree / 2, online - 1);
  for (let agent = 0; agent < online; agent++) {
    for (let i = 0; i < grafts; i++) {
      const peer = prng.below(online);
      const isNew = peer !== agent && !(mesh[agent] as number[]).includes(peer);
      if (!isNew) continue;
      (mesh[agent] as number[]).push(peer);
      (mesh[peer] as number[]).push(agent);
    }
  }
  return mesh;
}

/** When this share of the agents knew, in ms. `sorted` ascending, not empty; `share` above 0, at most 1. */
export function timeAtShare(sorted: Float64Array, share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] as number;
}
