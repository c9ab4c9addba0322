import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A clock may run at less than twice its speed. */
const fastest = 1.7;

/** A decree is in force nowhere before its notice has passed: somebody must have had the time to object. */
export class NoticeKept implements ControlChecker {
  readonly name = 'notice-kept';
  readonly #now: () => number;
  #announcedMs: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  announced(): void {
    this.#announcedMs ??= this.#now();
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'state' || seen.control.state.generation === 1) return undefined;
    const { decree } = seen.control.state.decrees.all()[0] ?? {};
    if (decree === undefined) return undefined;
    if (this.#announcedMs === undefined) return 'a decree is in force that nobody has announced';
    const passedMs = this.#now() - this.#announcedMs;
    if (passedMs * fastest >= decree.noticeMs) return undefined;
    return `a decree with ${decree.noticeMs} ms of notice is in force after ${passedMs} ms`;
  }
}
