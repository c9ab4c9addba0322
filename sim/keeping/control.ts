import { toHex } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { sealCommand } from '../../src/core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../src/core/format/control-records.ts';
import type { ControlState } from '../../src/core/protocol/control/control-state.ts';
import { epochMs } from '../world.ts';
import {
  admissionOf,
  cluster,
  everybody,
  genesis,
  keepers,
  operatorSecret,
  votersMax,
} from './cast.ts';
import type { KeepingParts } from './parts.ts';

export type Said = {
  readonly id: CommandId;
  readonly body: ControlBody;
  /** "operator", or the name of an agent. */
  readonly by: string;
  readonly outcome: string;
};

/** The control log, which another simulator tests: here every command is committed at once, in one order. */
export class KeepingControl {
  /** As whoever is up to date has applied it. */
  state: ControlState;
  readonly #parts: KeepingParts;
  readonly #listeners: ((said: Said) => void)[] = [];
  #index = 0;

  constructor(parts: KeepingParts) {
    this.#parts = parts;
    this.state = new parts.ControlState(genesis, cluster);
    for (const joiner of everybody.slice(1)) {
      this.say(keepers[0]?.name ?? '', { kind: 'admit', ...admissionOf(joiner) });
    }
    this.#index++;
    const voters = keepers.slice(0, votersMax).map(({ agentKey }) => agentKey);
    this.state.applyConfig({ voters, learners: [] }, this.#index);
  }

  onSaid(listener: (said: Said) => void): void {
    this.#listeners.push(listener);
  }

  /** For a host that hears nothing from now on. */
  copy(): ControlState {
    return this.#parts.ControlState.decode(this.state.encode(), genesis, cluster);
  }

  /** @returns "applied", or why not */
  say(by: string, body: ControlBody): string {
    this.#index++;
    const person = everybody.find(({ name }) => name === by);
    const id = toHex(
      hash('leaf', Uint8Array.of(this.#index >> 8, this.#index & 255)).subarray(0, 16),
    );
    const command = { id: id as CommandId, timeMs: epochMs, body };
    const { bytes: envelope } = sealCommand({
      ...{ command, cluster, generation: this.state.generation },
      secrets: [person?.statementSecret ?? operatorSecret],
    });
    const place = { generation: this.state.generation, index: this.#index, term: 1 };
    const applied = this.state.apply({ ...place, envelope });
    const outcome = applied.outcome === 'applied' ? 'applied' : applied.reason;
    for (const listener of this.#listeners) listener({ id: command.id, body, by, outcome });
    return outcome;
  }
}
