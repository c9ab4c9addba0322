import type { ControlBody } from '../../format/control-records.ts';
import { type AgentKey, shortId } from '../../ids.ts';
import type { ConfigBook } from './config-book.ts';
import type { ControlMember, MemberBook } from './member-book.ts';
import type { OperatorBook } from './operator-book.ts';
import { refusal } from './refusal.ts';

/**
 * Who may say what, from the log alone. Members learn of each other's statements at different
 * times, so nothing outside the log may matter here.
 */
export class Authority {
  readonly #operators: OperatorBook;
  readonly #members: MemberBook;
  readonly #config: ConfigBook;

  constructor(operators: OperatorBook, members: MemberBook, config: ConfigBook) {
    this.#operators = operators;
    this.#members = members;
    this.#config = config;
  }

  /** The operators' threshold. @returns those who signed, sorted. @throws HoldfastError not-permitted */
  requireOperators(signers: ReadonlySet<string>): readonly AgentKey[] {
    const found = this.#operators.among(signers);
    const { threshold } = this.#operators.current;
    if (found.length >= threshold) return found;
    throw refusal(`${threshold} operators must sign this, ${found.length} did`);
  }

  /** Which signatures a command that needs the operators' threshold still lacks; undefined: none. */
  objection(body: ControlBody, signers: ReadonlySet<string>): string | undefined {
    if (body.kind === 'operators') return this.#operators.objection(body, signers);
    const { threshold } = this.#operators.current;
    const { length } = this.#operators.among(signers);
    return length >= threshold ? undefined : `${threshold} operators must sign this, ${length} did`;
  }

  /** One operator is enough. @throws HoldfastError not-permitted */
  requireOperator(signers: ReadonlySet<string>): readonly AgentKey[] {
    const found = this.#operators.among(signers);
    if (found.length > 0) return found;
    throw refusal('an operator must sign this');
  }

  /** The member that signed it, alone. @throws HoldfastError not-permitted */
  requireMember(signers: ReadonlySet<string>): ControlMember {
    const [signer] = signers;
    if (signers.size !== 1 || signer === undefined) throw refusal('an agent must sign this alone');
    const member = this.#members.of(signer as AgentKey);
    if (member !== undefined) return member;
    throw refusal(`${shortId(signer as AgentKey)} is no member`);
  }

  /** The voter that signed it, alone. @throws HoldfastError not-permitted */
  requireVoter(signers: ReadonlySet<string>): ControlMember {
    const member = this.requireMember(signers);
    if (this.isVoter(member.agent)) return member;
    throw refusal(`"${member.name}" is not a voter`);
  }

  isVoter(agent: AgentKey): boolean {
    if (!this.#config.voters.includes(agent)) return false;
    return this.#members.voterObjection(agent) === undefined;
  }
}
