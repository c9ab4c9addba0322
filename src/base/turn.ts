/** Work without a wait in it takes its time from the network: peers, heartbeats, whoever asks for the status. */
const turnMs = 10;

/** A clock, or as much of one. */
type Time = {
  monotonicMs(): number;
  /** Of no time: resolves after everybody who was ready. */
  sleep(ms: number): Promise<void>;
};

/** Lets everybody else have a turn now and then in the middle of long work. Made where that work begins. */
export class Turn {
  readonly #time: Time;
  #startMs: number;

  constructor(time: Time) {
    this.#time = time;
    this.#startMs = time.monotonicMs();
  }

  get isOver(): boolean {
    return this.#time.monotonicMs() - this.#startMs > turnMs;
  }

  async end(): Promise<void> {
    await this.#time.sleep(0);
    this.#startMs = this.#time.monotonicMs();
  }
}
