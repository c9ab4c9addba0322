import type { ControlBody } from '../../src/core/format/control-records.ts';
import type { PolicyDocument } from '../../src/core/policy/policy-document.ts';
import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import type { Prng } from '../prng.ts';
import { dataset, source } from './cast.ts';
import type { KeepingCluster } from './cluster.ts';
import type { KeepingPlan } from './plan.ts';

const writer = source.agentKey;

/** What people say about snapshots, some of it at the wrong moment. */
export class Operators {
  readonly #cluster: KeepingCluster;
  readonly #random: Prng;
  readonly #plan: KeepingPlan;

  constructor(cluster: KeepingCluster, plan: KeepingPlan) {
    this.#cluster = cluster;
    this.#random = cluster.world.random.fork();
    this.#plan = plan;
  }

  /** Veto and trash of two days each, and the rule of the dataset. The first time it waits three days. */
  setPolicy({ lock, keepLast }: Pick<KeepingPlan, 'lock' | 'keepLast'> = this.#plan): void {
    const document: PolicyDocument = {
      survive: { sites: 2 },
      destructiveDelay: '1d',
      expiry: { veto: '2d', trash: '2d' },
      datasets: [{ match: 'db', lock: lockOf(lock), retention: { keepLast, keepTags: ['gold'] } }],
    };
    const base = this.#cluster.control.state.policy.current.version;
    const bytes = encodePolicy(document);
    this.#say({ kind: 'policy', version: base + 1, base, document: bytes });
  }

  /** Now and then one of them does something. */
  step(): void {
    const random = this.#random;
    if (!random.chance(this.#plan.operatorPerMille)) return;
    const snapshot = random.below(this.#cluster.snapshots.length + 1) + 1;
    const ranges = [{ first: snapshot, last: snapshot + random.below(2) }];
    const reason = 'a person wants it';
    const selection = { dataset, writer, ranges, reason };
    const { holds } = this.#cluster.control.state;
    const [hold] = holds.all();
    const one = random.chance(800) ? { writer, sequence: snapshot } : undefined;
    const words: ControlBody[] = [
      { kind: 'hold', dataset, snapshot: one, reason },
      { kind: 'undelete', ...selection },
      { kind: 'forget', ...selection },
      { kind: 'unlock', ...selection },
      ...(hold === undefined ? [] : [{ kind: 'release', hold: hold.id, reason } as const]),
      { kind: 'clear-quarantine', dataset, writer },
    ];
    this.#say(random.pick(words));
    if (random.chance(100)) {
      const { lock, keepLast } = this.#plan;
      const span = random.pick(['2d', '6d', '9d']);
      this.setPolicy({ keepLast, lock: { ...lock, for: span } });
    }
  }

  /** They look at frozen hosts once a day or so. */
  thaw(): void {
    for (const { run, person, skewMs } of this.#cluster.hosts) {
      const freeze = run?.clock.freeze;
      if (freeze === undefined || skewMs !== 0) continue;
      this.#say({ kind: 'thaw', agent: person.agentKey, freeze: freeze.number });
    }
  }

  /** What was held is let go in the end, so that it can be seen to go. */
  releaseAll(): void {
    for (const { id } of this.#cluster.control.state.holds.all()) {
      this.#say({ kind: 'release', hold: id, reason: 'it is over' });
    }
    this.#say({ kind: 'clear-quarantine', dataset, writer });
  }

  #say(body: ControlBody): void {
    this.#cluster.world.meet(`an operator says ${body.kind}`);
    this.#cluster.control.say('operator', body);
  }
}

function lockOf(lock: KeepingPlan['lock']): { mode: KeepingPlan['lock']['mode']; for?: string } {
  return lock.mode === 'none' ? { mode: 'none' } : lock;
}
