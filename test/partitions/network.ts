import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hostCount, type NetworkKind, portOf } from './namespaces.ts';
import type { Cut } from './partition.ts';
import type { RelayOrder, Weather } from './relay.ts';

export const calm: Weather = { delayMs: 0, jitterMs: 0, loss: 0 };

/**
 * The way between the hosts, seen from inside the switch, where this runs. Cuts are kept by who asks for them:
 * a host may be cut off for its own reasons while partitions come and go.
 */
export class Network implements Disposable {
  readonly #layers = new Map<string, readonly Cut[]>();
  readonly #relay: ChildProcess | undefined;
  #weather = calm;

  private constructor(relay: ChildProcess | undefined) {
    this.#relay = relay;
  }

  static async open(kind: NetworkKind): Promise<Network> {
    if (kind === 'lan') return new Network(undefined);
    const relay = fork(fileURLToPath(new URL('./relay.ts', import.meta.url)), [`${hostCount}`]);
    await new Promise((resolve, fail) => {
      relay.once('message', resolve);
      relay.once('exit', () => fail(new Error('the relay has ended')));
    });
    return new Network(relay);
  }

  /** True when no frame is lost on purpose. */
  get isWhole(): boolean {
    return [...this.#layers.values()].every((cuts) => cuts.length === 0);
  }

  /** Replaces what was cut for the same reason. Nobody is told, as with a real cable. */
  cut(reason: string, cuts: readonly Cut[]): void {
    this.#layers.set(reason, cuts);
    this.#apply();
  }

  /** Delay and loss need the relay. */
  weather(weather: Weather): void {
    this.#weather = weather;
    this.#apply();
  }

  /** Pulls a host's cable out, or plugs it in again: it loses its neighbours' addresses as well. */
  plug(host: number, state: 'up' | 'down'): void {
    execFileSync('ip', ['link', 'set', portOf(host), state], { stdio: 'ignore' });
  }

  #apply(): void {
    const cuts = [...this.#layers.values()].flat();
    if (this.#relay === undefined) loseFrames(cuts);
    else this.#relay.send({ weather: this.#weather, cuts } satisfies RelayOrder);
  }

  [Symbol.dispose](): void {
    this.#relay?.kill('SIGKILL');
  }
}

/** Loses frames in the switch itself. */
function loseFrames(cuts: readonly Cut[]): void {
  const pairs = new Set(cuts.map(({ from, to }) => `"${portOf(from)}" . "${portOf(to)}"`));
  const rules = pairs.size === 0 ? '' : `iifname . oifname { ${[...pairs].join(', ')} } drop`;
  const table = `table bridge partition {
    chain cut {
      type filter hook forward priority 0; policy accept;
      ${rules}
    }
  }`;
  // Made and deleted first, so that the same text works the first time too: one transaction, never half of it.
  const text = `table bridge partition\ndelete table bridge partition\n${table}\n`;
  execFileSync('nft', ['-f', '-'], { input: text, stdio: ['pipe', 'ignore', 'inherit'] });
}
