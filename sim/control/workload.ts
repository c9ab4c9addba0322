import { toHex, utf8 } from '../../src/base/bytes.ts';
import { dayMs } from '../../src/base/units.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { encodeCommand } from '../../src/core/format/control-command.ts';
import type { CommandId, ControlBody, PlanHash } from '../../src/core/format/control-records.ts';
import { type AgentKey, type DatasetId, idOf, type StatementHash } from '../../src/core/ids.ts';
import { encodePlan, planHash } from '../../src/core/policy/plan-text.ts';
import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import type { PlanStep, RestorePlan } from '../../src/core/policy/restore-plan.ts';
import { commandHash } from '../../src/core/protocol/control/evidence.ts';
import type { PolicyInForce } from '../../src/core/protocol/control/policy-book.ts';
import type { RunRecord } from '../../src/core/protocol/control/plan-book.ts';
import { isOpen, type PlanRun } from '../../src/core/protocol/control/plan-run.ts';
import { isHeld } from '../../src/services/plan/standby.ts';
import { Prng } from '../prng.ts';
import { epochMs } from '../world.ts';
import { AfterDecree } from './after-decree.ts';
import type { ControlAgent } from './agent.ts';
import { operatorSecrets, sealed } from './cast.ts';
import { rogueReason } from './checkers/authorized.ts';
import type { ControlCluster } from './cluster.ts';
import { datasets } from './datasets.ts';
import { SecondThoughts } from './second-thoughts.ts';
import { Stutter } from './stutter.ts';

const plansMax = 4;
/** When operators name a standby plan, and again until the policy has it. */
const standbyMs = 1500;
/** As the policy's bounds allow. */
const shortestLease = '20s';

type Standby = {
  readonly hash: PlanHash;
  readonly plan: RestorePlan;
  readonly bytes: Uint8Array;
};

/** Operators, and what agents say of themselves. */
export class ControlWorkload {
  readonly #cluster: ControlCluster;
  readonly #random: Prng;
  readonly #submitted: { readonly hash: PlanHash; readonly plan: RestorePlan }[] = [];
  /** Runs that were helped once after the end of all trouble. */
  readonly #helped = new Set<string>();
  readonly #stutterer: Stutter;
  readonly #secondThoughts: SecondThoughts;
  readonly #afterDecree: AfterDecree;
  /** What is drawn here shifts nothing else. */
  readonly #sizes: Prng;
  #rogues = 0;
  #standby: Standby | undefined;

  constructor(cluster: ControlCluster) {
    this.#cluster = cluster;
    this.#random = cluster.random.fork();
    this.#sizes = new Prng(cluster.world.seed ^ 0x73697a65);
    if (cluster.plan.faults.some(({ kind }) => kind === 'site-lost' || kind === 'lease-lost')) {
      cluster.world.after(standbyMs, () => this.#prepareStandby());
    }
    this.#stutterer = new Stutter(cluster, cluster.random.fork(), (body, by) => {
      const author = this.#cluster.cast.people.find(({ agentKey }) => agentKey === by);
      if (author !== undefined) this.#say(body, [author.statementSecret]);
    });
    this.#afterDecree = new AfterDecree(cluster, (body) => this.#say(body));
    this.#secondThoughts = new SecondThoughts(cluster, {
      say: (body) => this.#say(body, operatorSecrets.slice(0, 1)),
      isolate: (agent, dataset) => this.isolate(agent, dataset),
    });
  }

  /** This voter says two words for each promotion from now on. */
  lieAs(agent: AgentKey): void {
    this.#stutterer.liars.add(agent);
  }

  /** Who has the dataset of the standby plan. */
  standbyHolder(): AgentKey | undefined {
    const [dataset] = this.#standby?.plan.datasets ?? [];
    const known = dataset && this.#cluster.state?.incarnations.of(dataset.id);
    return known?.holder ?? dataset?.writer;
  }

  /** Operators have switched it off, and say so. */
  isolate(agent: AgentKey, dataset?: DatasetId): void {
    this.#cluster.truth.powerOff(agent, dataset);
    this.#say({ kind: 'isolate', agent, dataset, reason: 'powered off' });
  }

  /** What happens in one virtual second. */
  step(): void {
    const random = this.#random;
    if (random.chance(300) && this.#submitted.length < plansMax) this.#submitPlan();
    if (random.chance(200)) this.#grantAll();
    if (random.chance(this.#cluster.upgrade === undefined ? 120 : 400)) this.#demote();
    if (random.chance(30)) this.#isolate();
    if (random.chance(60)) this.#decide();
    if (random.chance(60)) this.#changeLayout();
    if (random.chance(60)) this.#changePolicy();
    if (random.chance(120)) this.#proposeTogether();
    if (random.chance(120)) this.#beRogue();
    this.#secondThoughts.step();
    if (this.#cluster.state !== undefined) this.#stutterer.step(this.#cluster.state);
  }

  /** As step, when all trouble is over: whatever needs an operator gets one. @returns whether nothing is open */
  help(): boolean {
    this.#grantAll();
    this.#afterDecree.help();
    const open = this.#openRuns();
    for (const { record, run } of open) {
      if (run.state !== 'escalated') continue;
      const key = `${record.hash}/${run.run}`;
      const isHelped = this.#helped.has(key);
      this.#helped.add(key);
      const name = { plan: record.hash, run: run.run };
      this.#cluster.world.meet(isHelped ? 'a plan given up' : 'a plan helped');
      if (!isHelped) this.#isolateHolders(record.plan);
      this.#say({ kind: 'plan-decision', ...name, decision: isHelped ? 'cancel' : 'resume' });
    }
    const isDecided = this.#secondThoughts.help();
    return open.length === 0 && isDecided && !this.#afterDecree.isPinned;
  }

  /** For a report of a run that did not end. */
  describeOpen(): string {
    const describe = ({ record, run }: { record: { plan: RestorePlan }; run: PlanRun }): string => {
      const steps = [...run.steps].map(([id, { state, attempt }]) => `${id} ${state} ${attempt}`);
      return `${record.plan.name} is ${run.state}: ${steps.join(', ')}`;
    };
    return this.#openRuns().map(describe).join('; ');
  }

  #openRuns(): readonly RunRecord[] {
    const { state } = this.#cluster;
    return state?.plans.open().filter((one) => !isHeld(state, one)) ?? [];
  }

  /** A rule for the loss of a site; then the plan that it names, which would begin at once without it. */
  #prepareStandby(): void {
    const { state, world } = this.#cluster;
    if (state !== undefined) {
      this.#standby ??= this.#newStandby();
      const { plan, bytes, hash: of } = this.#standby;
      const { version, document, failover } = state.policy.current;
      if (failover.rules.length === 0) {
        const [dataset] = plan.datasets;
        const bare = { dataset: dataset?.id ?? '', site: plan.target.site, plan: of };
        const rule = this.#cluster.plan.hasLeases ? { ...bare, lease: shortestLease } : bare;
        const wanted = { action: 'restore', standby: [rule] } as const;
        const next = encodePolicy({ ...document, failover: wanted, siteLostAfter: '30s' });
        this.#say({ kind: 'policy', version: version + 1, base: version, document: next });
      } else if (state.plans.of(of) === undefined) {
        this.#say({ kind: 'plan', plan: bytes, hash: of });
      }
    }
    if (world.nowMs < this.#cluster.plan.durationMs) {
      world.after(standbyMs, () => this.#prepareStandby());
    }
  }

  #newStandby(): Standby {
    const drawn = this.#newPlan();
    const steps = stepsOf(drawn.datasets[0]?.name ?? '', true);
    const plan = { ...drawn, name: 'standby', steps };
    const bytes = encodePlan(plan);
    return { hash: planHash(bytes), plan, bytes };
  }

  #submitPlan(): void {
    const { plan, hash: known } = this.#again() ?? { plan: this.#newPlan(), hash: undefined };
    const bytes = encodePlan(plan);
    const of = known ?? planHash(bytes);
    if (known === undefined) this.#submitted.push({ hash: of, plan });
    this.#say({ kind: 'plan', plan: bytes, hash: of });
  }

  /** One that has failed or was cancelled may run again. */
  #again(): { readonly hash: PlanHash; readonly plan: RestorePlan } | undefined {
    const over = this.#submitted.filter(({ hash: of }) => {
      const run = this.#cluster.state?.plans.of(of)?.runs.at(-1);
      return run !== undefined && !isOpen(run) && run.state !== 'done';
    });
    return over.length > 0 && this.#random.chance(300) ? this.#random.pick(over) : undefined;
  }

  #newPlan(): RestorePlan {
    const number = this.#submitted.length + 1;
    const random = this.#random;
    const target = random.pick(this.#cluster.cast.people).descriptor.site;
    const dataset = random.pick(datasets);
    const known = this.#cluster.state?.incarnations.of(dataset.id);
    const writer = known?.holders[0]?.agent ?? random.pick(this.#cluster.cast.people).agentKey;
    const snapshot = idOf<StatementHash>(hash('leaf', utf8(`snapshot ${number}`)));
    return {
      version: 1,
      name: `plan-${number}`,
      target: { site: target },
      datasets: [{ ...dataset, writer, snapshot, sequence: number, path: '' }],
      steps: stepsOf(dataset.name, random.chance(700)),
      onFailure: random.pick(['escalate', 'roll-back'] as const),
      created: `for seed ${this.#cluster.world.seed}`,
    };
  }

  #grantAll(): void {
    for (const { record, run } of this.#openRuns()) {
      const { site } = record.plan.target;
      for (const { agentKey, descriptor } of this.#cluster.cast.people) {
        if (descriptor.site !== site || run.grants.has(agentKey)) continue;
        const sealedKey = { kind: 'inline', bytes: Uint8Array.of(1) } as const;
        const name = { plan: record.hash, run: run.run, agent: agentKey };
        this.#say(
          { kind: 'grant', ...name, sealed: sealedKey, lastsMs: dayMs },
          operatorSecrets.slice(0, 1),
        );
      }
    }
  }

  /** A holder says that it is off: only that makes a promotion without operators possible. */
  #demote(): void {
    const live = this.#cluster.state?.incarnations.all().filter(({ state }) => state === 'live');
    if (live === undefined || live.length === 0) return;
    const { holder, dataset, incarnation } = this.#random.pick(live);
    const agent = holder === undefined ? undefined : this.#cluster.of(holder);
    const control = agent?.control;
    if (control === undefined) return;
    const { writeRight } = agent?.run ?? {};
    if (this.#cluster.plan.hasLeases && writeRight !== undefined) {
      const written = datasets.find(({ id }) => id === dataset);
      // As people do it: what the copy runs under its lease is stopped by the host itself.
      if (written !== undefined) writeRight.demote(written).catch(expected);
      return;
    }
    const options = { timeoutMs: 5000 };
    this.#cluster.truth.stop(control.self, dataset, incarnation);
    control.submit({ kind: 'demote', dataset, incarnation }, options).catch(expected);
  }

  #isolate(): void {
    const isolated = this.#cluster.state?.incarnations.isolations.all().length ?? 0;
    if (isolated >= 2) return;
    const { agentKey: agent } = this.#random.pick(this.#cluster.cast.people);
    this.isolate(agent);
  }

  #isolateHolders({ datasets: some }: RestorePlan): void {
    for (const { id } of some) {
      const known = this.#cluster.state?.incarnations.of(id);
      if (known?.state !== 'live' || known.holder === undefined) continue;
      this.isolate(known.holder, id);
    }
  }

  #decide(): void {
    const open = this.#openRuns().filter(({ record }) => record.hash !== this.#standby?.hash);
    if (open.length === 0) return;
    const { record, run } = this.#random.pick(open);
    const decision = this.#random.pick(['cancel', 'resume', 'roll-back'] as const);
    this.#say({ kind: 'plan-decision', plan: record.hash, run: run.run, decision });
  }

  #changeLayout(): void {
    const { version = 0 } = this.#cluster.state?.layout.current ?? {};
    // Three cannot outvote one that lies: operators must end what it splits.
    const count = (this.#cluster.cast.byzantineVoters === 1 ? this.#sizes : this.#random).pick([
      3, 5,
    ]);
    const { people } = this.#cluster.cast;
    const from = this.#random.below(people.length - count + 1);
    const voters = people
      .slice(from, from + count)
      .map(({ agentKey }) => agentKey)
      .sort();
    const mode = this.#random.pick(['auto', 'pinned'] as const);
    const chosen = mode === 'auto' ? [] : voters;
    this.#say({ kind: 'layout', version: version + 1, base: version, mode, voters: chosen });
  }

  #changePolicy(): void {
    const current = this.#cluster.state?.policy.current;
    if (current === undefined) return;
    const { version } = current;
    const survive = { sites: this.#random.pick([1, 2]) };
    const document = encodePolicy({ ...current.document, survive });
    this.#say({ kind: 'policy', version: version + 1, base: version, document });
  }

  /** Somebody tries with one operator's key, or with none that fits. */
  #beRogue(): void {
    const how = this.#random.pick(['signed by one operator', 'altered'] as const);
    const body = this.#rogueBody(how);
    if (how !== 'altered') {
      this.#say(body, operatorSecrets.slice(0, 1));
      return;
    }
    const host = this.#host();
    const envelope = this.#seal(body, operatorSecrets, host);
    envelope[envelope.length - 1] = (envelope.at(-1) ?? 0) ^ 1;
    this.#submit(envelope, host);
  }

  /** Two operators at two places, one after the other; or one who signs twice, which must count once. */
  #proposeTogether(): void {
    const host = this.#host();
    const current = this.#cluster.state?.policy.current;
    if (host === undefined || current === undefined) return;
    const isRogue = this.#random.chance(400);
    const [first, second] = operatorSecrets;
    if (first === undefined || second === undefined) return;
    const body = isRogue ? this.#rogueBody('signed by one operator twice') : policyChange(current);
    const { cluster } = this.#cluster.cast;
    const generation = host.control?.status().generation ?? 1;
    const id = toHex(this.#random.bytes(16)) as CommandId;
    const command = encodeCommand({ id, timeMs: epochMs + this.#cluster.world.nowMs, body });
    const of = { cluster, generation };
    this.#say({ kind: 'propose', command, lastsMs: 3_600_000 }, [first], host);
    this.#cluster.world.after(this.#random.between(500, 4000), () => {
      const approval = { kind: 'approve', hash: commandHash(command, of) } as const;
      this.#say(approval, [isRogue ? first : second]);
    });
  }

  /** What a host can make up without an operator. */
  forged(by: ControlAgent): Uint8Array {
    return this.#seal(this.#rogueBody('made up by a leader'), [by.person.statementSecret], by);
  }

  #rogueBody(how: string): ControlBody {
    const { agentKey: agent } = this.#random.pick(this.#cluster.cast.people);
    const reason = `${rogueReason} ${++this.#rogues}: ${how}`;
    return { kind: 'isolate', agent, dataset: undefined, reason };
  }

  #say(
    body: ControlBody,
    secrets: readonly Uint8Array[] = operatorSecrets,
    host = this.#host(),
  ): void {
    this.#submit(this.#seal(body, secrets, host), host);
  }

  /** Any that runs. */
  #host(): ControlAgent | undefined {
    const running = this.#cluster.running();
    return running.length === 0 ? undefined : this.#random.pick(running);
  }

  /** For the generation that this host knows. */
  #seal(
    body: ControlBody,
    secrets: readonly Uint8Array[],
    host: ControlAgent | undefined,
  ): Uint8Array {
    const id = toHex(this.#random.bytes(16)) as CommandId;
    const { cluster } = this.#cluster.cast;
    const generation = host?.control?.status().generation ?? 1;
    const timeMs = epochMs + this.#cluster.world.nowMs;
    return sealed({ id, body, timeMs, secrets, cluster, generation });
  }

  /** Where the operator's terminal is. */
  #submit(envelope: Uint8Array, by: ControlAgent | undefined): void {
    by?.control?.submitSigned(envelope, { timeoutMs: 5000 }).catch(expected);
  }
}

function stepsOf(dataset: string, hasPromotion: boolean): PlanStep[] {
  const frame = { timeoutMs: 10_000, attempts: 2 };
  const steps: PlanStep[] = [
    { id: 'restore', kind: 'restore', dataset, to: '/srv/data', after: [], ...frame },
    { id: 'prepare', kind: 'hook', argv: ['prepare'], undo: ['tidy'], after: [], ...frame },
    {
      ...{ id: 'check', kind: 'check', after: ['restore', 'prepare'], ...frame },
      probe: { kind: 'command', argv: ['check'] },
    },
    { id: 'start', kind: 'hook', argv: ['start'], after: ['check'], ...frame },
  ];
  if (hasPromotion)
    steps.push({ id: 'promote', kind: 'promote', dataset, after: ['start'], ...frame });
  return steps;
}

function policyChange({ version, document }: PolicyInForce): ControlBody {
  const next = encodePolicy({ ...document, survive: { sites: 1 + (version % 2) } });
  return { kind: 'policy', version: version + 1, base: version, document: next };
}

/** No quorum, no answer in time: operators see it and try again. */
function expected(error: unknown): void {
  if (!(error instanceof HoldfastError)) throw error;
}
