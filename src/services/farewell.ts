import { fromUtf8, utf8 } from '../base/bytes.ts';
import { dayMs, minuteMs, secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { type AgentKey, type PeerKey, shortId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { trustMessages } from '../core/log-messages/trust.ts';
import type { AskedValue } from '../core/protocol/exchange-kinds.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import { openEvidence } from '../core/protocol/control/evidence.ts';
import type { ControlMember, Expulsion } from '../core/protocol/control/member-book.ts';
import type { Network } from '../ports/network.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { Alarms } from './alarms.ts';
import type { ControlAccess } from './control/control-access.ts';
import { repeat } from './control/duty.ts';
import type { Ledger } from './ledger.ts';
import type { Peers } from './peers.ts';
import type { Caller, Serve } from './serve.ts';

export type FarewellOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'self'>;
  readonly ledger: Ledger;
  readonly network: Pick<Network, 'connectTo' | 'disconnect'>;
  readonly peers: Pick<Peers, 'ask' | 'isReachable' | 'membersChanged'>;
  /** Small records that are kept. */
  readonly promises: RecordStore;
  readonly alarms: Pick<Alarms, 'raise'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** How this host came to be no member any more. */
export type OwnExpulsion = Pick<Expulsion, 'generation' | 'index' | 'reason' | 'timeMs'> & {
  /** Names of the operators who have signed it. */
  readonly operators: readonly string[];
  /** Set when the signatures are not of operators that this host knows: the member that says so. */
  readonly toldBy?: string;
};

type Gone = ControlMember & { readonly expulsion: Expulsion };

/** A host that was put out must not stay connected for the sake of being told. */
const lastWordMs = secondMs;
/** A host that was off when it was put out hears of it when it is back. */
const periodMs = 2 * minuteMs;
/** Afterwards nobody looks for it any more. */
const tellingMs = 30 * dayMs;
const addressesMax = 4;
const recordName = 'expelled';

/**
 * Tells hosts that were put out of the cluster so, with the operators' signatures: they are cut off, hear nothing of
 * the log, and would otherwise only see that nobody answers. They are given nothing else.
 */
export class Farewell {
  readonly #options: FarewellOptions;
  /** Put out before this host looked, or told by it. */
  readonly #known = new Set<AgentKey>();
  readonly #told = new Set<AgentKey>();
  readonly #telling = new Set<Promise<void>>();
  #heard: OwnExpulsion | undefined;

  constructor(options: FarewellOptions) {
    this.#options = options;
    for (const { agent } of goneIn(options.control.state)) this.#known.add(agent);
  }

  /** Undefined: this host is a member, as far as it knows. */
  get own(): OwnExpulsion | undefined {
    const { state, self } = this.#options.control;
    const { expulsion } = state.members.record(self) ?? {};
    if (expulsion === undefined) return this.#heard;
    return { ...expulsion, operators: namesOf(state, expulsion.authors) };
  }

  answer(serve: Pick<Serve, 'register'>): void {
    serve.register('expelled', async (value, caller) => {
      await this.#hear(value, caller);
      return {};
    });
  }

  /** Members have changed: whoever is none any more hears it, and is cut off. */
  membersChanged(state: ControlState): void {
    const { peers, clock } = this.#options;
    const gone = goneIn(state).filter(({ agent }) => !this.#known.has(agent));
    for (const { agent } of gone) this.#known.add(agent);
    const told = gone
      .filter(({ peer }) => peers.isReachable(peer))
      .map((one) => this.#tell(one).catch((error: unknown) => this.#failed(error)));
    if (told.length === 0) {
      peers.membersChanged();
      return;
    }
    const work = Promise.race([Promise.all(told), clock.sleep(lastWordMs)])
      .then(() => {})
      .finally(() => peers.membersChanged());
    this.#telling.add(work);
    void work.finally(() => this.#telling.delete(work));
  }

  /** Until the signal. */
  async run(options: Cancel): Promise<void> {
    await this.#recall();
    const failure = {
      level: 'info',
      message: trustMessages.expelledHostNotTold,
    } as const;
    await repeat({ ...this.#options, periodMs, failure }, (cancel) => this.#round(cancel), options);
    await Promise.all(this.#telling);
  }

  async #round(cancel: Cancel): Promise<void> {
    const { control, clock } = this.#options;
    if (this.own !== undefined) return;
    for (const gone of goneIn(control.state)) {
      const isOld = clock.nowMs() - gone.expulsion.timeMs > tellingMs;
      if (isOld || this.#told.has(gone.agent) || gone.agent === control.self) continue;
      await this.#seek(gone, cancel);
    }
  }

  /** It may be anywhere that it was last heard from. */
  async #seek(gone: Gone, cancel: Cancel): Promise<void> {
    const { ledger, network } = this.#options;
    const addresses = ledger.roster.anybody(gone.agent)?.addresses ?? [];
    for (const address of addresses.slice(0, addressesMax)) {
      let met: PeerKey | undefined;
      try {
        met = await network.connectTo(address, cancel);
        if (met === gone.peer) return await this.#tell(gone);
      } catch (error) {
        this.#failed(error);
      } finally {
        if (met === gone.peer) await network.disconnect(met);
      }
    }
  }

  async #tell({ agent, peer, name, expulsion }: Gone): Promise<void> {
    const { control, peers, log } = this.#options;
    const { evidence, generation, index, authors } = expulsion;
    const operators = namesOf(control.state, authors);
    const place = { generation: BigInt(generation), index: BigInt(index) };
    const value = { evidence: [...evidence], ...place, operators };
    await peers.ask(peer, { case: 'expelled', value }, { timeoutMs: limits.requestTimeoutMs });
    this.#told.add(agent);
    log.log('info', trustMessages.hostToldOfExpulsion, { name, index });
  }

  #failed(error: unknown): void {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const reason = (error as Error).message;
    this.#options.log.log('debug', trustMessages.expelledHostSilent, { code, reason });
  }

  /** @throws HoldfastError not-permitted | bad-encoding | bad-signature */
  async #hear(value: AskedValue<'expelled'>, { member }: Caller): Promise<void> {
    const { control, ledger, promises, alarms } = this.#options;
    if (member === undefined) throw new HoldfastError('not-permitted', 'only members say that');
    const { command, signers } = openEvidence([...value.evidence], ledger.cluster);
    const { body, timeMs } = command;
    if (body.kind !== 'expel' || body.agent !== control.self) {
      throw new HoldfastError('not-permitted', 'this is about somebody else');
    }
    const isSure = isProved(ledger, signers);
    // Whoever cannot prove it says nothing new; whoever can is heard though somebody was before who could not.
    if (this.#heard !== undefined && (!isSure || this.#heard.toldBy === undefined)) return;
    const heard: OwnExpulsion = {
      ...{ generation: Number(value.generation), index: Number(value.index), timeMs },
      ...{
        reason: body.reason,
        operators: value.operators.slice(0, 16).map((one) => one.slice(0, 64)),
      },
      ...(isSure ? {} : { toldBy: member.name }),
    };
    await promises.write(recordName, utf8(JSON.stringify(heard)));
    this.#heard = heard;
    const text = `this host was put out of the cluster: ${body.reason}. Backups are refused. Next: holdfast status`;
    const facts = { index: String(value.index), reason: body.reason };
    await alarms.raise({ kind: 'expelled', subject: control.self, text, facts });
  }

  /** A record that is damaged is heard again. */
  async #recall(): Promise<void> {
    const { promises, log } = this.#options;
    try {
      const record = await promises.read(recordName);
      if (record !== undefined) this.#heard ??= JSON.parse(fromUtf8(record) ?? '') as OwnExpulsion;
    } catch (error) {
      if (!(error instanceof SyntaxError) && codeOf(error) === undefined) throw error;
      log.log('warn', trustMessages.ownExpulsionUnreadable, {});
    }
  }
}

function goneIn({ members }: ControlState): Gone[] {
  return members.everyone().filter((one): one is Gone => one.expulsion !== undefined);
}

function isProved({ roster }: Ledger, signers: ReadonlySet<string>): boolean {
  try {
    roster.log.requireEnough(signers);
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

/** Those removed since, too. */
function namesOf({ operators }: ControlState, keys: readonly AgentKey[]): string[] {
  const all = operators.history.toReversed().flatMap(({ value }) => value.operators);
  return keys.map((key) => all.find((one) => one.key === key)?.name ?? shortId(key));
}
