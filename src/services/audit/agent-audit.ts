import { shortId } from '../../core/ids.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { AuditStore } from '../../ports/audit-store.ts';
import type { StepStore } from '../../ports/fence-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Serve } from '../serve.ts';
import { auditDecisions, decisionPlace } from './audit-events.ts';
import { AuditKeeper } from './audit-keeper.ts';
import type { AuditLog } from './audit-log.ts';
import type { HarmWatch } from './harm-watch.ts';
import { AuditWitness } from './audit-witness.ts';

export type AuditPorts = {
  readonly auditStore: AuditStore;
  /** What is remembered of other members' logs. */
  readonly auditRecords: StepStore;
};

export type AgentAuditOptions = {
  readonly log: AuditLog;
  readonly records: StepStore;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly control: Pick<ControlAccess, 'onApplied' | 'state'>;
  readonly alarms: Alarms;
  readonly harm: Pick<HarmWatch, 'commandRefused' | 'forged'>;
  readonly self: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly clock: Clock;
  readonly logger: Log;
};

/** This host's audit log, with those of others that it watches over. */
export class AgentAudit {
  readonly log: AuditLog;
  readonly witness: AuditWitness;
  readonly keeper: AuditKeeper;
  readonly #options: AgentAuditOptions;
  readonly #stop: () => void;

  constructor(options: AgentAuditOptions) {
    this.#options = options;
    const { ledger, self, statementSecret, records, clock, logger } = options;
    this.log = options.log;
    this.witness = new AuditWitness({
      ...{ cluster: ledger.cluster, self, statementSecret, records, clock },
      onContradiction: (agent) => this.#tell(agent),
    });
    const { log: audit, witness } = this;
    this.keeper = new AuditKeeper({ ...options, audit, witness, log: logger });
    this.#stop = auditDecisions({
      cluster: ledger.cluster,
      control: options.control,
      isOperator: (key) =>
        options.control.state.operators.current.operators.some((one) => one.key === key),
      onForged: (signers, reason) => {
        options.harm.forged(signers.join(', '), 'bad-signature', reason);
      },
      onUsurped: (...usurped) => options.harm.commandRefused(...usurped),
      audit: audit.note,
      last: audit.lastDecision === undefined ? undefined : decisionPlace(audit.lastDecision),
      nameOf: (key) => nameOf(options, key),
    });
  }

  /** Lets members sign each other's logs. */
  answer(serve: Pick<Serve, 'register'>): void {
    this.keeper.answer(serve);
  }

  /** Takes part until the signal. */
  async run(options: Cancel): Promise<void> {
    const actor = nameOf(this.#options, this.#options.self);
    const what = { action: 'started', subject: '', detail: `log ${this.log.number}` } as const;
    this.log.note({ kind: 'start', actor, ...what, outcome: 'done' });
    try {
      await this.keeper.run(options);
    } finally {
      this.#stop();
      await this.log.flush({ all: true });
    }
  }

  #tell(agent: AgentKey): void {
    const name = nameOf(this.#options, agent);
    const text = `the audit log of ${name} contradicts what it has signed before: entries were changed or taken away, or a copy of it runs. Look: holdfast audit verify`;
    const alarm = { kind: 'audit-tampered', subject: agent, text, facts: { peer: name } };
    this.#options.alarms.raise(alarm).catch(() => {});
  }
}

function nameOf({ ledger, control }: AgentAuditOptions, key: AgentKey): string {
  const member = ledger.roster.member(key)?.name;
  const { operators } = control.state.operators.current;
  const operator = operators.find((one) => one.key === key)?.name;
  return member ?? (operator === undefined ? shortId(key) : `operator ${operator}`);
}
