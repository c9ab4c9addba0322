import type { AgentKey, DatasetId, PackId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import { isMostlyDead, planRepacking, type RepackRule } from '../core/policy/repacking.ts';
import type { Log } from '../ports/runtime.ts';
import type { BackupJob, BackupOptions } from './backup.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { MostlyDeadMark } from './mostly-dead-packs.ts';
import type { PackUse } from './pack-use.ts';

export type RepackerOptions = {
  readonly self: AgentKey;
  readonly dataset: DatasetId;
  readonly index: DatasetIndex;
  readonly packUse: Pick<PackUse, 'namedBefore'>;
  readonly rule: RepackRule;
  /** Old snapshots go some day, and with them what only they need. */
  readonly isExpiring: boolean;
  readonly log: Log;
};

/**
 * Lets go of packs that are mostly dead, at their source and without a key: what the snapshot under way needs of them
 * is read from the files and stored anew, so that it does not name them, and they end with the last snapshot that does.
 * Only those are given up of which no snapshot that is kept needs more: the others would stay all the same.
 *
 * avoid what is to go -> the scan stores anew -> forget what nothing needs now -> signed -> count what is needed of all
 */
export class Repacker {
  readonly #options: RepackerOptions;
  readonly #avoided = new Set<number>();

  constructor(options: RepackerOptions) {
    this.#options = options;
  }

  /** Undefined: nothing is to be given up, and nothing counted. */
  static of(
    { self, packUse, log }: BackupOptions,
    { repacking, own, dryRun }: BackupJob,
  ): Repacker | undefined {
    if (repacking === undefined || dryRun) return undefined;
    const { isExpiring, ...rule } = repacking;
    const { index, dataset } = own;
    return new Repacker({ self, dataset: dataset.id, index, packUse, rule, isExpiring, log });
  }

  /** Before the scan: it shall not build on these. */
  async avoid(): Promise<void> {
    const { index, rule, isExpiring } = this.#options;
    index.mostlyDead.avoidNone();
    if (!isExpiring || rule.belowPercent === 0) return;
    const marks = [...index.mostlyDead.marks()].flatMap(([ordinal, mark]) => {
      const pack = index.pack(ordinal)?.entry.pack;
      return pack === undefined ? [] : [{ ordinal, pack, ...mark }];
    });
    const packs = new Map(marks.map(({ pack, since }): [PackId, number] => [pack, since]));
    const named = await this.#namedBefore(packs);
    const free = marks.filter((mark) => !named.has(mark.pack) && isMostlyDead(mark, rule));
    for (const { ordinal } of planRepacking(free, rule)) this.#avoided.add(ordinal);
    index.mostlyDead.avoid(this.#avoided);
  }

  /** Those that a snapshot which is kept may need more of. */
  async #namedBefore(packs: ReadonlyMap<PackId, number>): Promise<ReadonlySet<PackId>> {
    if (packs.size === 0) return new Set();
    const { packUse, self, dataset } = this.#options;
    const found = await packUse.namedBefore({ writer: self, dataset }, packs);
    return 'unknown' in found ? new Set(packs.keys()) : found.packs;
  }

  /** After the scan. `needed`: what could not be read again stays where it is. @returns how many packs are given up */
  async forget(needed: ReadonlySet<number>): Promise<number> {
    const { index, log } = this.#options;
    const gone = [...this.#avoided].filter((ordinal) => !needed.has(ordinal));
    const packs = gone.flatMap((ordinal) => index.pack(ordinal)?.entry.pack ?? []);
    if (packs.length > 0) {
      await index.forgetPacks(packs);
      await index.mostlyDead.mark(new Map(gone.map((ordinal) => [ordinal, undefined])));
      log.log('info', backupMessages.packsRepacked, { packs: packs.length });
    }
    index.mostlyDead.avoidNone();
    return packs.length;
  }

  /** Once the snapshot is signed. `usedBytes`: of file content in each pack that it needs. */
  async note(usedBytes: ReadonlyMap<number, number>, sequence: number): Promise<void> {
    const { index, rule } = this.#options;
    const changes = new Map<number, MostlyDeadMark | undefined>();
    for (const [ordinal, used] of usedBytes) {
      const known = index.mostlyDead.marks().get(ordinal);
      const chunkBytes = known?.chunkBytes ?? index.chunkBytes(ordinal);
      if (chunkBytes === undefined) continue;
      if (!isMostlyDead({ usedBytes: used, chunkBytes }, rule)) {
        if (known !== undefined) changes.set(ordinal, undefined);
        continue;
      }
      // What was tried in vain is tried again when the snapshots of today have gone.
      const since = this.#avoided.has(ordinal) ? sequence : (known?.since ?? sequence);
      if (known?.since === since && known.usedBytes === used) continue;
      changes.set(ordinal, { since, usedBytes: used, chunkBytes });
    }
    for (const ordinal of index.mostlyDead.marks().keys()) {
      if (index.pack(ordinal) === undefined) changes.set(ordinal, undefined);
    }
    await index.mostlyDead.mark(changes);
  }
}
