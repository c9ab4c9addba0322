import type { KeepingChecker } from '../observation.ts';
import { Agreed } from './agreed.ts';
import { Anchored } from './anchored.ts';
import { ClockTrusted } from './clock-trusted.ts';
import { Deleted } from './deleted.ts';
import { LocksKept } from './locks-kept.ts';
import { Needed } from './needed.ts';
import { Slowly } from './slowly.ts';
import { Waited } from './waited.ts';

/** One for each promise about what is kept and what goes. */
export function keepingCheckers(): readonly KeepingChecker[] {
  return [
    new LocksKept(),
    new Needed(),
    new Waited(),
    new Agreed(),
    new ClockTrusted(),
    new Slowly(),
    new Deleted(),
    new Anchored(),
  ];
}
