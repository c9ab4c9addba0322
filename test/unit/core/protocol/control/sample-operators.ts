import { publicKeyOf } from '../../../../../src/core/crypto/signature.ts';
import { encodeCommand } from '../../../../../src/core/format/control-command.ts';
import type {
  BodyOf,
  CommandHash,
  ControlBody,
} from '../../../../../src/core/format/control-records.ts';
import type { Operator } from '../../../../../src/core/format/records.ts';
import { type AgentKey, idOf } from '../../../../../src/core/ids.ts';
import { commandHash } from '../../../../../src/core/protocol/control/evidence.ts';
import type { Proposal } from '../../../../../src/core/protocol/control/proposal.ts';
import { dayMs } from '../../../../../src/base/units.ts';
import { SampleCluster, secretOf, startMs } from '../../../../support/sample-cluster.ts';
import { bergen, commandId, SampleControl, turku } from './sample-control.ts';

/** Three of them are operators from the beginning, Dora may become one. */
export const people = ['Ada', 'Bea', 'Cid', 'Dora'] as const;
export type Person = (typeof people)[number];

export function secretOfPerson(name: Person): Uint8Array {
  return secretOf(`operator ${name}`);
}

export function keyOfPerson(name: Person): AgentKey {
  return idOf(publicKeyOf(secretOfPerson(name)));
}

export function operatorNamed(name: Person): Operator {
  return { name, key: keyOfPerson(name), recipient: '' };
}

/** The sample log where two of three operators must sign. */
export class OperatorsControl extends SampleControl {
  #names = 0;

  static begin(): OperatorsControl {
    const operators = (['Ada', 'Bea', 'Cid'] as const).map(operatorNamed);
    const cluster = new SampleCluster('people', { operators, operatorThreshold: 2 });
    const log = new OperatorsControl(cluster);
    for (const agent of [bergen, turku]) log.by(log.oslo, log.admissionBy(agent, ['Ada', 'Bea']));
    log.configure([log.oslo, bergen, turku]);
    return log;
  }

  /** An invite signed by these. */
  admissionBy(
    agent: Parameters<SampleCluster['invite']>[0],
    names: readonly [Person, ...Person[]],
  ): BodyOf<'admit'> {
    const secrets = names.map(secretOfPerson);
    const { cluster } = this;
    const signed = { secrets, after: undefined };
    const invite = cluster.sign(secrets[0] as Uint8Array, cluster.invite(agent), signed).envelope;
    const admission = cluster.sign(this.oslo.statementSecret, cluster.admission(agent)).envelope;
    return { kind: 'admit', invite, admission };
  }

  /** "applied", or why not. */
  signed(body: ControlBody, ...names: Person[]): string {
    return this.say(body, ...names.map(secretOfPerson));
  }

  /** Proposes it in the name of these, and says under which hash, or why not. */
  propose(
    body: ControlBody,
    names: readonly Person[] = ['Ada'],
    lastsMs = dayMs,
  ): { hash: CommandHash; said: string } {
    const id = commandId(`proposed ${this.#names++}`);
    const command = encodeCommand({ id, timeMs: startMs, body });
    const hash = commandHash(command, {
      cluster: this.cluster.id,
      generation: this.state.generation,
    });
    return { hash, said: this.signed({ kind: 'propose', command, lastsMs }, ...names) };
  }

  approve(hash: CommandHash, ...names: Person[]): string {
    return this.signed({ kind: 'approve', hash }, ...names);
  }

  proposal(hash: CommandHash): Proposal {
    const found = this.state.proposals.of(hash);
    if (found === undefined) throw new Error('there is no such proposal');
    return found;
  }

  /** All voters say that so much time has passed since the log began. */
  passTo(afterMs: number): void {
    for (const agent of [this.oslo, bergen, turku]) {
      this.by(agent, { kind: 'time', logTimeMs: startMs + afterMs });
    }
  }
}
