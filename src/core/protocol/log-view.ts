import { HoldfastError } from '../errors.ts';
import type { OperatorChange } from '../format/control-records.ts';
import type { Genesis } from '../format/records.ts';
import type { AgentKey, ClusterId, DatasetId } from '../ids.ts';
import { writerObjection } from './control/anchor-book.ts';
import type { ControlState } from './control/control-state.ts';
import { openEvidence } from './control/evidence.ts';
import type { ControlMember } from './control/member-book.ts';
import type { Grant } from './member.ts';

/** What the roster asks the control log for. */
export type LogState = Pick<ControlState, 'operators' | 'members' | 'anchors'>;

/**
 * What the control log says of who may do what, as far as it is known here. Statements are accepted by
 * everybody alike, in whatever order they come, from whoever could ever have said them; what they bring about
 * follows the log, whose order is the same for all. Before the log is known, everything counts.
 */
export class LogView {
  readonly #genesis: Genesis;
  /** Of what was adopted last. */
  #mark = '';
  #state: LogState | undefined;
  /** Versions that statements have brought: a new member knows no log yet. */
  #told: OperatorChange[] = [];

  constructor(genesis: Genesis) {
    this.#genesis = genesis;
  }

  /** @returns whether anything may have changed that members depend on. */
  adopt(state: LogState): boolean {
    const before = this.#mark;
    this.#state = state;
    this.#mark = `${state.operators.current.version}/${state.members.revision}`;
    return before !== this.#mark;
  }

  /** Versions of the operators that are known, from the genesis on, in no strict order. */
  versions(): readonly OperatorChange[] {
    const { operators, operatorThreshold: threshold } = this.#genesis;
    const first = { version: 1, base: 0, threshold, operators };
    const logged = this.#state?.operators.history.map(({ value }) => value) ?? [];
    return [first, ...logged, ...this.#told];
  }

  /** Takes a version that has proved itself. */
  tell(version: OperatorChange): void {
    if (!this.isTold(version)) this.#told.push(version);
  }

  /** A statement has brought this version. */
  isTold(version: OperatorChange): boolean {
    const text = JSON.stringify(version);
    return this.#told.some((one) => JSON.stringify(one) === text);
  }

  /** Whoever is or was an operator. */
  isOperator(key: AgentKey): boolean {
    return this.versions().some(({ operators }) => operators.some((one) => one.key === key));
  }

  /** Operators of now, as far as is known. */
  operators(): OperatorChange {
    const newest = this.versions()
      .toSorted((a, b) => a.version - b.version)
      .at(-1);
    return this.#state?.operators.current ?? (newest as OperatorChange);
  }

  /**
   * Whether these may invite, or could once: whether the invite still admits is for the log to say.
   * @throws HoldfastError not-permitted
   */
  requireInviters(writer: AgentKey, signers: ReadonlySet<string>): void {
    if (!this.isOperator(writer)) {
      throw new HoldfastError('not-permitted', 'only an operator may invite');
    }
    const isSigned = this.versions().some(
      (version) =>
        countOf(version, signers) >= version.threshold &&
        version.operators.some(({ key }) => key === writer),
    );
    if (isSigned) return;
    const now = this.operators();
    const why = `${now.threshold} operators must sign, ${countOf(now, signers)} did`;
    throw new HoldfastError('not-permitted', why);
  }

  /** Whether so many have signed as any version of the operators asks for. @throws HoldfastError not-permitted */
  requireEnough(signers: ReadonlySet<string>): void {
    if (this.versions().some((one) => countOf(one, signers) >= one.threshold)) return;
    const now = this.operators();
    const why = `${now.threshold} operators must sign, ${countOf(now, signers)} did`;
    throw new HoldfastError('not-permitted', why);
  }

  /** A version of the operators that proves itself on top of a known one. @throws HoldfastError not-found | ... */
  provedBy(evidence: readonly Uint8Array[], cluster: ClusterId): OperatorChange {
    const { command, signers } = openEvidence(evidence, cluster);
    if (command.body.kind !== 'operators') {
      throw new HoldfastError('not-permitted', 'this evidence is not about operators');
    }
    const { kind: _, ...version } = command.body;
    const isSigned = (one: OperatorChange): boolean => countOf(one, signers) >= one.threshold;
    const before = this.versions().filter((one) => one.version === version.base);
    if (isSigned(version) && before.some(isSigned)) return version;
    throw new HoldfastError('not-found', 'the operators before these are not known here');
  }

  record(agent: AgentKey): ControlMember | undefined {
    return this.#state?.members.record(agent);
  }

  isExpelled(agent: AgentKey): boolean {
    return this.record(agent)?.expulsion !== undefined;
  }

  /** Whether an invite still admits: its signers are operators enough now. */
  isInForce({ signers }: { readonly signers: ReadonlySet<string> }): boolean {
    if (this.#state === undefined) return true;
    const now = this.operators();
    return countOf(now, signers) >= now.threshold;
  }

  /** Whether an admission makes a member: the log has it, or could still take it. */
  counts({ descriptor, invite, issuer }: Grant): boolean {
    if (invite === undefined || this.#state === undefined) return true;
    const known = this.record(descriptor.statementKey);
    if (known?.invites.includes(invite.hash)) return true;
    return this.isInForce(invite) && (issuer === undefined || !this.isExpelled(issuer));
  }

  /** Whether a snapshot counts: its writer may write, or the log had it before that ended. */
  isCounted(writer: AgentKey, dataset: DatasetId, sequence: number): boolean {
    const cut = this.cut(writer, dataset);
    return cut === undefined || sequence <= cut;
  }

  /** The last snapshot that counts; undefined: all do. */
  cut(writer: AgentKey, dataset: DatasetId): number | undefined {
    const state = this.#state;
    // Who is not in the log yet is judged by statements alone.
    if (state?.members.record(writer) === undefined) return undefined;
    if (writerObjection(state.members, writer) === undefined) return undefined;
    return state.anchors.of(writer, dataset)?.head.sequence ?? 0;
  }
}

function countOf({ operators }: OperatorChange, signers: ReadonlySet<string>): number {
  return operators.filter(({ key }) => signers.has(key)).length;
}
