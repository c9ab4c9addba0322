import type { Patch } from '../raft/mutants-build.ts';

/** A bug that somebody might write, and how soon it must be found. */
export type YearMutant = {
  /** What it does: "a host that ...". */
  readonly name: string;
  /** The rules of which one must find it. */
  readonly by: readonly string[];
  /** Of years from the first seed on. */
  readonly yearsMax: number;
  readonly patches: readonly Patch[];
  /** It shows in days with a cheat, one of each kind from three seeds. */
  readonly isOfCheats?: boolean;
};

const service = (file: string, old: string, replacement: string): Patch => ({
  ...{ file: `services/repair/${file}`, old, new: replacement },
});

export const yearMutants: readonly YearMutant[] = [
  {
    name: 'makes no shard anew',
    by: ['loss', 'mended', 'whole'],
    yearsMax: 2,
    patches: [
      service(
        'repair-keeper.ts',
        '    for (const tasks of this.#mine()) {',
        '    for (const tasks of [] as RepairTask[][]) {',
      ),
    ],
  },
  {
    name: 'reads nothing back',
    by: ['found', 'loss', 'whole'],
    yearsMax: 2,
    patches: [
      service('scrub.ts', '    while (this.#isDue()) {', '    while (false && this.#isDue()) {'),
    ],
  },
  {
    name: 'finds damage and does not take its word back',
    by: ['mended', 'loss', 'whole'],
    yearsMax: 2,
    patches: [
      service(
        'repair-keeper.ts',
        '      if (gone === 0) continue;',
        '      if (gone >= 0 || gone < 0) continue;',
      ),
    ],
  },
  {
    name: 'takes a lost site for one that stays',
    by: ['loss', 'mended', 'whole'],
    yearsMax: 3,
    patches: [
      service(
        'repair-view.ts',
        "if (member === undefined || standing.isLost(member.site)) return 'gone';",
        "if (member === undefined) return 'gone';",
      ),
    ],
  },
  {
    name: 'believes whatever a peer shows',
    ...{ isOfCheats: true, by: ['caught'], yearsMax: 3 },
    patches: [
      {
        file: 'services/leaf-fetcher.ts',
        old: 'if (bad === undefined) return bytes;',
        new: 'return bytes;',
      },
    ],
  },
  {
    name: 'takes no answer for no news, however often',
    ...{ isOfCheats: true, by: ['caught'], yearsMax: 3 },
    patches: [
      service('challenger.ts', 'if (unanswered < unansweredMax) return false;', 'return false;'),
    ],
  },
  {
    name: 'blames whoever has lost something before they can say so',
    ...{ isOfCheats: true, by: ['slander'], yearsMax: 3 },
    patches: [
      service(
        'challenger.ts',
        '    known.doubts.set(name, { ...claim, leaf, sinceMs, unanswered, passedBefore });',
        "    await this.#catch(member, { ...claim, leaf }, 'failed');",
      ),
    ],
  },
  {
    name: 'waits for a failing host to make its shards anew',
    ...{ isOfCheats: true, by: ['mended'], yearsMax: 3 },
    patches: [
      {
        file: 'core/policy/repair-plan.ts',
        old: '    this.#able = sites.filter(({ hosts }) => hosts.some(({ canTake }) => canTake));',
        new: '    this.#able = sites;',
      },
    ],
  },
];
