import type { Genesis } from '../../format/records.ts';
import { type AgentKey, shortId } from '../../ids.ts';
import type { ConfigBook } from './config-book.ts';
import type { ControlMember, MemberBook } from './member-book.ts';
import { refusal } from './refusal.ts';

/**
 * Who may say what, from the genesis and the log alone. Members learn of each other's statements at different
 * times, so nothing outside the log may matter here.
 */
export class Authority {
  readonly #genesis: Genesis;
  readonly #members: MemberBook;
  readonly #config: ConfigBook;

  constructor(genesis: Genesis, members: MemberBook, config: ConfigBook) {
    this.#genesis = genesis;
    this.#members = members;
    this.#config = config;
  }

  /** The operators' threshold. @returns those who signed, sorted. @throws HoldfastError not-permitted */
  requireOperators(signers: ReadonlySet<string>): readonly AgentKey[] {
    const { operatorThreshold } = this.#genesis;
    const found = this.#operatorsAmong(signers);
    if (found.length >= operatorThreshold) return found;
    throw refusal(`${operatorThreshold} operators must sign this, ${found.length} did`);
  }

  /** One operator is enough. @throws HoldfastError not-permitted */
  requireOperator(signers: ReadonlySet<string>): readonly AgentKey[] {
    const found = this.#operatorsAmong(signers);
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
    return this.#config.voters.includes(agent) && !this.#members.of(agent)?.isAbandoned;
  }

  #operatorsAmong(signers: ReadonlySet<string>): AgentKey[] {
    return this.#genesis.operators
      .map(({ key }) => key)
      .filter((key) => signers.has(key))
      .sort();
  }
}
