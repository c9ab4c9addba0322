/** What happened, as a hash over numbers; as text only for somebody who reads it. */
export class RaftTrace {
  readonly #print: ((line: string) => void) | undefined;
  #low = 0x811c9dc5;
  #high = 0x9dc5811c;
  count = 0;

  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  /** `numbers` tell the event from every other; `text` must say no more than they do. */
  note(at: number, numbers: readonly number[], text: () => string): void {
    this.#mix(at);
    for (const number of numbers) this.#mix(number);
    this.count++;
    this.#print?.(`${String(at).padStart(6)} ${text()}`);
  }

  get digest(): string {
    return [this.#high, this.#low].map((word) => word.toString(16).padStart(8, '0')).join('');
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193) >>> 0;
    this.#high = Math.imul(this.#high ^ this.#low ^ (this.#low >>> 15), 0x85ebca6b) >>> 0;
  }
}
