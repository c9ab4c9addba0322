import { hourMs, minuteMs } from '../../src/base/units.ts';

/** Time passes in such steps. */
export const stepMs = hourMs;
/** While something is being mended. */
export const shortStepMs = 15 * minuteMs;
