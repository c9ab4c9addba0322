import type { agentMessages } from './agent.ts';
import type { alarmMessages } from './alarm.ts';
import type { backupMessages } from './backup.ts';
import type { controlMessages } from './control.ts';
import type { networkMessages } from './network.ts';
import type { planMessages } from './plan.ts';
import type { storageMessages } from './storage.ts';
import type { trustMessages } from './trust.ts';

/** Every message of the log, by area. */
type Areas =
  | typeof agentMessages
  | typeof alarmMessages
  | typeof backupMessages
  | typeof controlMessages
  | typeof networkMessages
  | typeof planMessages
  | typeof storageMessages
  | typeof trustMessages;

type TextOf<Area> = Area extends Readonly<Record<string, string>> ? Area[keyof Area] : never;

/** One constant for each event: whoever searches for it, counts it or alerts on it finds all of them, and the place. */
export type LogMessage = TextOf<Areas>;
