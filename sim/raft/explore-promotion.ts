import { toHex, utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import type {
  BodyOf,
  CommandId,
  ControlBody,
  PlanHash,
} from '../../src/core/format/control-records.ts';
import { type AgentKey, type DatasetId, idOf, type StatementHash } from '../../src/core/ids.ts';
import { encodePlan, planHash } from '../../src/core/policy/plan-text.ts';
import { ControlState } from '../../src/core/protocol/control/control-state.ts';
import {
  cluster,
  genesis,
  operatorSecrets,
  type Person,
  people,
  proofOf,
  sealed,
} from '../control/cast.ts';
import { epochMs } from '../world.ts';
import type { Exploration } from './explore.ts';

const [ada, bob, cyd] = people as unknown as readonly [Person, Person, Person];
const dataset = idOf<DatasetId>(hash('leaf', utf8('explored dataset')).subarray(0, 16));
const voters = [ada, bob, cyd];
/** Each coordinates a plan that promotes the dataset at itself. */
const rivals = [bob, cyd];

type Body = BodyOf<'promote' | 'fence-vote'>;
/** Signed by its author at some moment, and in the log at any later one. */
type Pending = { readonly by: Person; readonly body: Body };

type World = {
  readonly image: Uint8Array;
  /** What may be done once, and has not been done yet. */
  readonly open: readonly string[];
  readonly pending: readonly Pending[];
  /** Of whom there was evidence that it is off. */
  readonly off: readonly AgentKey[];
  /** For whom a slot was decided, by incarnation. */
  readonly decided: readonly (AgentKey | undefined)[];
};

export type PromotionOptions = {
  readonly State?: typeof ControlState;
  readonly statesMax?: number;
  /** Whether one coordinator may take over from the other. */
  readonly hasTakeOver?: boolean;
};

/**
 * Every order in which two coordinators, three voters and a holder can bring their words into the log: both
 * promote the same dataset, each at another agent, and one may take the other's plan over; each voter says one word on a slot, or gives it up; the holder
 * demotes itself, or operators isolate it. What was signed may come into the log at any later time.
 */
export function explorePromotion(options: PromotionOptions = {}): Exploration {
  return new PromotionExplorer(options).explore();
}

class PromotionExplorer {
  readonly #State: typeof ControlState;
  readonly #statesMax: number;
  readonly #hasTakeOver: boolean;
  readonly #seen = new Set<string>();
  readonly #path: string[] = [];
  readonly #envelopes = new Map<string, Uint8Array>();
  readonly #plans: readonly PlanHash[];
  readonly #begin: Uint8Array;
  #transitions = 0;
  #committedMax = 0;
  #violation: Exploration['violation'];

  constructor(options: PromotionOptions) {
    const { State = ControlState, statesMax = 1_000_000, hasTakeOver = true } = options;
    this.#hasTakeOver = hasTakeOver;
    this.#State = State;
    this.#statesMax = statesMax;
    const state = new State(genesis, cluster);
    for (const { agentKey } of rivals) {
      this.#apply(state, { kind: 'admit', ...proofOf(agentKey) }, [ada.statementSecret]);
    }
    const keys = voters.map(({ agentKey }) => agentKey).sort();
    state.applyConfig({ voters: keys, learners: [] }, state.lastIndex + 1);
    this.#plans = rivals.map((rival) => {
      const bytes = planAt(rival);
      this.#apply(state, { kind: 'plan', plan: bytes, hash: planHash(bytes) }, operatorSecrets);
      return planHash(bytes);
    });
    for (const [i, plan] of this.#plans.entries()) this.#prove(state, plan, rivals[i] as Person);
    this.#begin = state.encode();
  }

  /** Restores and checks, so that only the promotion is left. */
  #prove(state: ControlState, plan: PlanHash, by: Person): void {
    const { agentKey, statementSecret } = by;
    const secrets = [statementSecret];
    const begun = { kind: 'assign', plan, run: 1, coordinator: agentKey } as const;
    this.#apply(state, begun, secrets);
    const fence = { generation: 1, index: state.lastIndex };
    const rest = { plan, run: 1, fence, attempt: 1, worker: agentKey };
    for (const step of ['restore', 'check']) {
      for (const outcome of ['started', 'done'] as const) {
        const mark = { kind: 'mark', ...rest, step, outcome, detail: '' } as const;
        this.#apply(state, { ...mark, evidence: new Uint8Array(0) }, secrets);
      }
    }
  }

  explore(): Exploration {
    const votes = voters.map((_, i) => `vote ${i}`);
    const takeOver = this.#hasTakeOver ? ['take over 0'] : [];
    const open = [...takeOver, 'promote 0', 'promote 1', ...votes, 'evidence 0'];
    this.#visit({ image: this.#begin, open, pending: [], off: [], decided: [] });
    return {
      states: this.#seen.size,
      transitions: this.#transitions,
      isComplete: this.#violation === undefined && this.#seen.size < this.#statesMax,
      violation: this.#violation,
      committedMax: this.#committedMax,
    };
  }

  #visit(world: World): void {
    if (this.#violation !== undefined || this.#seen.size >= this.#statesMax) return;
    const state = this.#State.decode(world.image, genesis, cluster);
    const words = world.pending.map(wordOf).sort();
    const mark = [toHex(state.hash()), ...world.open, ...words, ...world.off].join('|');
    if (this.#seen.has(mark)) return;
    this.#seen.add(mark);
    this.#committedMax = Math.max(this.#committedMax, state.lastIndex);
    for (const what of world.open) this.#choose(world, state, what);
    for (const one of world.pending) {
      const pending = world.pending.filter((other) => other !== one);
      this.#append({ ...world, pending }, one.body, one.by);
    }
  }

  #choose(world: World, state: ControlState, what: string): void {
    const number = Number(what.slice(-1));
    const kind = what.slice(0, -2);
    const rest = { ...world, open: world.open.filter((one) => one !== what) };
    const known = state.incarnations.of(dataset);
    const plan = this.#plans[number] as PlanHash;
    const rival = rivals[number] as Person;
    if (kind === 'take over') {
      const other = rivals[1 - number] as Person;
      this.#append(rest, { kind: 'assign', plan, run: 1, coordinator: other.agentKey }, other);
    } else if (kind === 'promote') {
      const { assignment } = state.plans.runOf({ plan, run: 1 })?.run ?? {};
      if (assignment === undefined || known === undefined) return;
      const { fence } = assignment;
      const by = rivals.find(({ agentKey }) => agentKey === assignment.coordinator) as Person;
      const incarnation = known.incarnation + 1;
      const step = { plan, run: 1, step: 'promote', fence, target: rival.agentKey };
      const body = { kind: 'promote', dataset, name: 'db', incarnation, ...step } as const;
      this.#sign(rest, { by, body });
    } else if (kind === 'vote') {
      const { slot } = known ?? {};
      if (slot === undefined || known === undefined) return;
      const { generation, target, fence } = slot;
      const word = { kind: 'fence-vote', dataset, incarnation: known.incarnation } as const;
      const by = voters[number] as Person;
      this.#sign(rest, { by, body: { ...word, generation, target, fence } });
      this.#sign(rest, { by, body: { ...word, generation, target: undefined, fence } });
    } else {
      const { agentKey: agent } = ada;
      this.#append(rest, { kind: 'demote', dataset, incarnation: 0 }, ada);
      this.#append(rest, { kind: 'isolate', agent, dataset, reason: 'powered off' }, undefined);
    }
  }

  #sign(world: World, one: Pending): void {
    this.#transitions++;
    this.#path.push(`signs: ${wordOf(one)}`);
    this.#visit({ ...world, pending: [...world.pending, one] });
    this.#path.pop();
  }

  /** `by`: undefined for the operators. */
  #append(world: World, body: ControlBody, by: Person | undefined): void {
    this.#transitions++;
    const state = this.#State.decode(world.image, genesis, cluster);
    const before = state.incarnations.of(dataset);
    const secrets = by === undefined ? operatorSecrets : [by.statementSecret];
    const outcome = this.#apply(state, body, secrets);
    this.#path.push(`${body.kind} of ${by?.descriptor.name ?? 'the operators'}: ${outcome}`);
    const isOff = outcome === 'applied' && (body.kind === 'demote' || body.kind === 'isolate');
    const off = isOff ? [...world.off, ada.agentKey] : world.off;
    const after = state.incarnations.of(dataset);
    const decided = [...world.decided];
    if (after?.certificate !== undefined) {
      const { incarnation, target } = after.certificate;
      const known = decided[incarnation] ?? target;
      if (known !== target) this.#found(`incarnation ${incarnation} is decided twice`);
      decided[incarnation] = target;
    }
    const hasMoved = before?.state === 'live' && after?.state !== 'live';
    if (hasMoved && before.holder !== undefined && !off.includes(before.holder)) {
      this.#found('a holder is replaced without evidence');
    }
    const writers = people.filter(({ agentKey }) => state.mayWrite(agentKey, dataset).may);
    if (writers.length > 1 && after !== undefined) this.#found(`${writers.length} may write`);
    this.#visit({ ...world, image: state.encode(), off, decided });
    this.#path.pop();
  }

  #apply(state: ControlState, body: ControlBody, secrets: readonly Uint8Array[]): string {
    const text = JSON.stringify(body, (_, value) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
    const key = `${text} ${secrets.map((one) => toHex(one.subarray(0, 4))).join()}`;
    let envelope = this.#envelopes.get(key);
    if (envelope === undefined) {
      const id = toHex(hash('leaf', utf8(key)).subarray(0, 16)) as CommandId;
      envelope = sealed({ id, body, timeMs: epochMs, secrets, cluster, generation: 1 });
      this.#envelopes.set(key, envelope);
    }
    const index = state.lastIndex + 1;
    const outcome = state.apply({ generation: 1, index, term: 1, envelope });
    return outcome.outcome === 'applied' ? 'applied' : outcome.reason;
  }

  #found(text: string): void {
    this.#violation ??= { text, moves: [...this.#path] };
  }
}

function wordOf({ by, body }: Pending): string {
  const { kind, incarnation, fence, target } = body;
  const whom = people.find(({ agentKey }) => agentKey === target)?.descriptor.name ?? 'nobody';
  return `${by.descriptor.name} ${kind} ${incarnation} ${whom} ${fence.index}`;
}

function planAt({ descriptor }: Person): Uint8Array {
  const frame = { timeoutMs: 1000, attempts: 1 };
  const snapshot = idOf<StatementHash>(hash('leaf', utf8('explored snapshot')));
  return encodePlan({
    version: 1,
    name: `to-${descriptor.name}`,
    target: { site: descriptor.site },
    datasets: [{ name: 'db', id: dataset, writer: ada.agentKey, snapshot, sequence: 1, path: '' }],
    steps: [
      { id: 'restore', kind: 'restore', dataset: 'db', to: '/srv/db', after: [], ...frame },
      {
        ...{ id: 'check', kind: 'check', after: ['restore'], ...frame },
        probe: { kind: 'command', argv: ['check'] },
      },
      { id: 'promote', kind: 'promote', dataset: 'db', after: ['check'], ...frame },
    ],
    onFailure: 'escalate',
    created: 'for the explorer',
  });
}
