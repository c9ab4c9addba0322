import type { Cancel } from '../../src/ports/runtime.ts';
import { tickMs } from '../../src/services/control/raft-driver.ts';
import { HostClock, type HostTime } from '../control/clock.ts';
import { epochMs, type World } from '../world.ts';

/** The control log is another simulator's. Here it is there, and its time passes so much slower. */
const controlSlowness = 10;

/** The clock of one run of one host. */
export class DataClock extends HostClock {
  static wallMs(world: World, { skewMs }: HostTime): number {
    return epochMs + world.nowMs + skewMs;
  }

  override sleep(ms: number, options: Cancel = {}): Promise<void> {
    return super.sleep(ms === tickMs ? ms * controlSlowness : ms, options);
  }
}
