import { MutantBuild, type Patch } from '../raft/mutants-build.ts';
import { type Parts, partsFolders, partsOf } from './parts.ts';

/** The format that the newer version brings, and with it demotions. */
export const newerFormat = 2;

/**
 * What is shipped knows one format. Two versions are made of it: the newer one takes demotions for something
 * that format 2 has brought, and the older one has never heard of them.
 */
export const versionPatches: Readonly<Record<keyof Builds, readonly Patch[]>> = {
  older: [
    {
      file: 'core/format/control-incarnation.ts',
      old: "      return { kind: 'demote', dataset: datasetFrom(dataset), incarnation };",
      new: "      return { kind: 'demote', dataset: idField(dataset, 0xffff, 'an unknown kind'), incarnation };",
    },
  ],
  newer: [
    {
      file: 'core/protocol/control/format-book.ts',
      old: 'export const knownFormat = 1;',
      new: `export const knownFormat = ${newerFormat};`,
    },
    {
      file: 'core/protocol/control/format-book.ts',
      old: "Record<ControlBody['kind'], number>>> = {};",
      new: `Record<ControlBody['kind'], number>>> = { demote: ${newerFormat} };`,
    },
  ],
};

/** Two versions of the program, between which a cluster is upgraded. */
export type Builds = { readonly older: Parts; readonly newer: Parts };

/** Both with these changes: a mutant, of which each version has the bug. */
export async function buildsWith(patches: readonly Patch[]): Promise<Builds> {
  using older = new MutantBuild([...versionPatches.older, ...patches], partsFolders);
  using newer = new MutantBuild([...versionPatches.newer, ...patches], partsFolders);
  return { older: await partsOf(older), newer: await partsOf(newer) };
}

let shipped: Promise<Builds> | undefined;

export function shippedBuilds(): Promise<Builds> {
  shipped ??= buildsWith([]);
  return shipped;
}
