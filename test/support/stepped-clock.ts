import { readFileSync } from 'node:fs';

/**
 * Loaded into a process by `--import`: its clocks, the wall's and the monotonic one, are ahead by as many
 * milliseconds as the file STEPPED_CLOCK says. So days pass for a cluster when a test says so; timers do not notice.
 */
const file = process.env.STEPPED_CLOCK ?? '';
const RealDate = Date;
const realNow = Date.now.bind(Date);
const realMonotonic = performance.now.bind(performance);
let aheadMs = 0;

function look(): void {
  aheadMs = Number(readFileSync(file, 'utf8'));
}

class SteppedDate extends RealDate {
  constructor(...parts: unknown[]) {
    if (parts.length === 0) super(realNow() + aheadMs);
    else super(...(parts as [number]));
  }

  static override now(): number {
    return realNow() + aheadMs;
  }
}

if (file !== '') {
  look();
  setInterval(look, 50).unref();
  globalThis.Date = SteppedDate as DateConstructor;
  performance.now = () => realMonotonic() + aheadMs;
}
