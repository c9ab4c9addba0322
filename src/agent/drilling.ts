import { GiB } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import { type DrillReport, encodeDrillReport } from '../core/policy/drill-report.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { Cancel } from '../ports/runtime.ts';
import { DrillKey } from '../services/drill/drill-key.ts';
import { DrillSchedule } from '../services/drill/drill-schedule.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import { SnapshotSession } from '../services/snapshot-session.ts';
import { aroundStage } from '../services/stage-hooks.ts';
import type { Agent } from './agent.ts';
import type { AgentPorts } from './agent-ports.ts';
import { drillTerms, recordDrill } from './drill-api.ts';
import type { AgentDrillRequest, DrillRunEvent } from './drill-types.ts';
import { stagedDrill } from './staged-drill.ts';

/** What a drill without a person may stage at most. */
const bytesMax = 1024 * GiB;
/** Snapshots looked at for the newest that can be restored. */
const lookBackMax = 64;

/** Drills of this host's agent, without a person: with the key that it was given for that. */
export class Drilling {
  readonly key: DrillKey;
  readonly schedule: DrillSchedule;
  readonly #agent: Agent;
  readonly #ports: AgentPorts;

  constructor(agent: Agent, ports: AgentPorts) {
    const { ledger, lines, keys, alarms, drills } = agent;
    const { clock, log, secrets, sealer } = ports;
    const { roster } = ledger;
    this.#agent = agent;
    this.#ports = ports;
    this.key = new DrillKey({ secrets, sealer, keys, roster });
    this.schedule = new DrillSchedule({
      ...{ lines, roster, history: drills.history, alarms, clock, log },
      self: agent.member().agentKey,
      isBusy: () => agent.isBusy,
      drill: (dataset, options) => this.#drill(dataset, options),
    });
  }

  run(options: Cancel): Promise<void> {
    return this.#ports.staging === undefined ? Promise.resolve() : this.schedule.run(options);
  }

  /** As the policy wants it, and signed. @throws HoldfastError key-needed | wrong-key | ... */
  async #drill({ name, ruleName }: DatasetRecord, { signal }: Cancel): Promise<void> {
    const rule = this.#agent.ledger.roster.ruleFor(ruleName).drill;
    const sample = rule?.sampleBytes;
    const events = this.events({ dataset: name, ...(sample !== undefined && { sample }) });
    const stop = (): void => void events.return(undefined);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      for await (const _ of events);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** One drill, between the programs of this host. Its report is signed before it is told. */
  events(request: AgentDrillRequest): AsyncGenerator<DrillRunEvent> {
    const learn = (event: DrillRunEvent) =>
      event.type === 'report' ? { isLast: true, facts: { result: event.report.outcome } } : {};
    const order = this.#agent.stageOrder('drill', request.dataset);
    const facts = { dataset: request.dataset };
    return aroundStage({ ...order, facts, learn }, (signal) => this.#events(request, signal));
  }

  async *#events(
    { dataset: name, sample }: AgentDrillRequest,
    signal: AbortSignal,
  ): AsyncGenerator<DrillRunEvent> {
    const agent = this.#agent;
    const { clock, staging, probes, entropy } = this.#ports;
    if (staging === undefined) throw new HoldfastError('failed', 'no drills here');
    const beganMs = clock.monotonicMs();
    const dataset = agent.lines.find(name);
    refuseSource(agent, dataset);
    const terms = drillTerms(agent, { dataset: name });
    const rule = agent.ledger.roster.ruleFor(dataset.ruleName).drill;
    const records = agent.lines.line(dataset.id);
    const record = await this.#newest(dataset, records);
    const identities = await this.key.identitiesOf(record);
    const opened = await this.#session().open(record, { identities }, { signal });
    await using _ = opened.frames;
    const events = stagedDrill(
      {
        ...{ path: '/', kind: 'dataset', terms, bytesMax, keeps: false, authority: 'grant' },
        ...(sample === undefined ? {} : { sampleBytes: sample }),
        // Those of the policy are about the whole: of a part, what they ask for may not be there.
        checks: sample === undefined ? terms.checks : [],
        runsCommands: rule?.runsCommands === true,
      },
      {
        ...{ opened: { ...opened, record }, dataset, records, view: agent.view, clock, beganMs },
        ...{ roster: agent.ledger.roster, signal, staging, probes },
        seed: entropy.bytes(32),
      },
    );
    for await (const event of events) {
      if (event.type !== 'report') yield event;
      else yield { ...event, id: await this.#sign(event.report) };
    }
  }

  async #sign(report: DrillReport): Promise<string> {
    const text = new TextDecoder().decode(encodeDrillReport(report));
    return (await recordDrill(this.#agent, text)).id;
  }

  #session(): SnapshotSession {
    const { ledger, peers, view, store } = this.#agent;
    const { network, compute, sealer, clock, log, tracer } = this.#ports;
    const around = { ledger, peers, view, network, compute, sealer, clock, log, tracer };
    return new SnapshotSession({ ...around, ...(store === undefined ? {} : { store }) });
  }

  /** The newest that the members reached now can rebuild. @throws HoldfastError not-found | too-few-shards */
  async #newest(
    { name }: DatasetRecord,
    records: readonly ManifestRecord[],
  ): Promise<ManifestRecord> {
    const { view, status, keys } = this.#agent;
    const usable = records.filter((record) => !keys.isShredded(record));
    for (const record of usable.slice(-lookBackMax).reverse()) {
      const now = await view.assess(record, (key) => status.isReachable(key));
      if (now.isRecoverable) return record;
    }
    if (usable.length === 0) throw new HoldfastError('not-found', `${name} has no snapshot`);
    throw new HoldfastError('too-few-shards', `no snapshot of ${name} can be rebuilt from here`, {
      next: 'holdfast status',
    });
  }
}

/** What opens backups must never lie where they come from: whoever steals that host could read them. */
function refuseSource(agent: Agent, { writer, name }: DatasetRecord): void {
  if (writer !== agent.member().agentKey) return;
  throw new HoldfastError(
    'not-permitted',
    `this host is the source of ${name}, and drills it with the kit alone`,
    {
      next: `holdfast drill run dataset ${name} --kit FILE, or --grant on another host`,
    },
  );
}
