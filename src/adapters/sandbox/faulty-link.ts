import { connect, createServer, type Server, type Socket } from 'node:net';

/** How traffic between two ends fares. */
export type LinkState =
  | { readonly kind: 'open' }
  /** Nothing passes, and nobody is told: as when a cable is cut. */
  | { readonly kind: 'cut' }
  /** One way takes so long, and so many bytes a second pass each way. */
  | { readonly kind: 'slow'; readonly delayMs: number; readonly bytesPerSecond: number };

export type FaultyLinkOptions = {
  /** Where the agent listens. */
  readonly port: number;
  /** Whose connection it is that came from this port of the loopback. */
  readonly callerOf: (port: number) => string | undefined;
  /** Between a caller and the agent behind this link, now. */
  readonly stateFor: (caller: string | undefined) => LinkState;
};

/** How often a line that is cut or slow looks whether it is mended. */
const lookAgainMs = 100;

/**
 * Stands before an agent of a sandbox: others dial this port instead of its own, and everything passes as the
 * network between the two of them is meant to be at that moment.
 */
export class FaultyLink implements AsyncDisposable {
  readonly #options: FaultyLinkOptions;
  readonly #server: Server;
  readonly #ends = new Set<Socket>();

  private constructor(options: FaultyLinkOptions) {
    this.#options = options;
    const how = { pauseOnConnect: true, allowHalfOpen: true };
    this.#server = createServer(how, (near) => this.#accept(near));
  }

  static async open(options: FaultyLinkOptions): Promise<FaultyLink> {
    const link = new FaultyLink(options);
    await new Promise<void>((done, fail) => {
      link.#server.once('error', fail);
      link.#server.listen(0, '127.0.0.1', done);
    });
    return link;
  }

  /** The port that others dial. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the link is closed');
    return address.port;
  }

  #accept(near: Socket): void {
    const caller = this.#options.callerOf(near.remotePort ?? 0);
    const { port } = this.#options;
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const end of [near, far]) {
      this.#ends.add(end);
      end.setNoDelay();
      end.once('close', () => this.#ends.delete(end));
    }
    this.#carry(caller, near, far);
    this.#carry(caller, far, near);
  }

  #carry(caller: string | undefined, from: Socket, to: Socket): void {
    const line = new Line(() => this.#options.stateFor(caller), from, to);
    from.on('data', (bytes: Buffer) => line.push(bytes));
    let hasEnded = false;
    from.once('end', () => {
      hasEnded = true;
      line.push('end');
    });
    from.on('error', () => undefined);
    // Not after an end: what was sent before it may still be on its way.
    from.once('close', () => {
      if (!hasEnded) line.push('reset');
    });
    to.once('close', () => line.stop());
    from.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) end.destroy();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}

type Cargo = Buffer | 'end' | 'reset';

/** Bytes of a line that wait, at most: beyond that its sender has to. */
const waitingMax = 1024 * 1024;

/** One direction of one connection: what comes in leaves in its order, when its time has come. */
class Line {
  readonly #stateNow: () => LinkState;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #waiting: { readonly cargo: Cargo; readonly cameMs: number }[] = [];
  #waitingBytes = 0;
  /** When the bytes that were sent last are through, at the line's rate. */
  #freeMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** The far end takes no more for now. */
  #isFull = false;

  constructor(stateNow: () => LinkState, from: Socket, to: Socket) {
    this.#stateNow = stateNow;
    this.#from = from;
    this.#to = to;
  }

  push(cargo: Cargo): void {
    if (this.#isStopped) return;
    this.#waiting.push({ cargo, cameMs: performance.now() });
    if (typeof cargo !== 'string') this.#waitingBytes += cargo.length;
    if (this.#waitingBytes > waitingMax) this.#from.pause();
    this.#send();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #send(): void {
    clearTimeout(this.#timer);
    while (!this.#isStopped && this.#waiting.length > 0) {
      const waitMs = this.#waitMs();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#send(), waitMs);
        return;
      }
      this.#deliver(this.#waiting.shift()?.cargo ?? 'reset');
    }
  }

  /** Of the first that waits. */
  #waitMs(): number {
    const state = this.#stateNow();
    if (state.kind === 'open') return 0;
    // Asked again: the cable may be mended.
    if (state.kind === 'cut') return lookAgainMs;
    const nowMs = performance.now();
    const dueMs = Math.max((this.#waiting[0]?.cameMs ?? 0) + state.delayMs, this.#freeMs);
    return dueMs <= nowMs ? 0 : Math.max(1, Math.min(dueMs - nowMs, lookAgainMs));
  }

  #deliver(cargo: Cargo): void {
    if (cargo === 'end') return void this.#to.end();
    if (cargo === 'reset') return void this.#to.destroy();
    const state = this.#stateNow();
    if (state.kind === 'slow') {
      const nowMs = performance.now();
      this.#freeMs =
        Math.max(nowMs, this.#freeMs) + (cargo.length * 1000) / Math.max(1, state.bytesPerSecond);
    }
    this.#waitingBytes -= cargo.length;
    const isRoom = this.#to.write(cargo);
    if (isRoom && this.#waitingBytes <= waitingMax) this.#from.resume();
    else if (!isRoom) this.#holdBack();
  }

  #holdBack(): void {
    this.#from.pause();
    if (this.#isFull) return;
    this.#isFull = true;
    this.#to.once('drain', () => {
      this.#isFull = false;
      this.#from.resume();
    });
  }
}
