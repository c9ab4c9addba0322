import type { PeerKey } from '../../src/core/ids.ts';
import type { Cancel } from '../../src/ports/runtime.ts';
import type { Internet } from '../internet.ts';
import { type CallHandler, SimNetwork } from '../network.ts';
import type { HostTime } from './clock.ts';

/** The network of a host whose process may stand still: what comes waits until it goes on. */
export class PausableNetwork extends SimNetwork {
  readonly #time: HostTime;
  readonly #alter: (request: Uint8Array) => Uint8Array;

  constructor(
    internet: Internet,
    options: ConstructorParameters<typeof SimNetwork>[1] & {
      readonly time: HostTime;
      /** What leaves the host in the place of a request. */
      readonly alter: (request: Uint8Array) => Uint8Array;
    },
  ) {
    super(internet, options);
    this.#alter = options.alter;
    this.#time = options.time;
  }

  override async call(
    peer: PeerKey,
    request: Uint8Array,
    options: Cancel & { timeoutMs?: number } = {},
  ): Promise<Uint8Array> {
    const answer = await super.call(peer, this.#alter(request), options);
    await this.#untilRunning();
    return answer;
  }

  override serveCalls(handler: CallHandler): void {
    super.serveCalls(async (peer, request, options) => {
      await this.#untilRunning();
      return handler(peer, request, options);
    });
  }

  async #untilRunning(): Promise<void> {
    while (this.#time.isPaused) {
      await new Promise<void>((resolve) => this.#time.onResume(resolve));
    }
  }
}
