import type { Patch } from '../raft/mutants-build.ts';
import type { KeepingPlan } from './plan.ts';

/** A bug that somebody might write, and how soon it must be found. */
export type KeepingMutant = {
  /** What it does: "a host that ...". */
  readonly name: string;
  /** The checker that must find it. */
  readonly by: string;
  /** Of seeds from the first one on. */
  readonly seedsMax: number;
  readonly plan?: Partial<KeepingPlan>;
  readonly patches: readonly Patch[];
};

type About = { readonly by: string; readonly within: number; readonly plan?: Partial<KeepingPlan> };

function mutant(name: string, { by, within, plan }: About, ...patches: Patch[]): KeepingMutant {
  return { name, by, seedsMax: within, patches, ...(plan === undefined ? {} : { plan }) };
}

const service = (file: string, old: string, replacement: string): Patch => ({
  ...{ file: `services/${file}`, old, new: replacement },
});
const control = (file: string, old: string, replacement: string): Patch => ({
  ...{ file: `core/protocol/control/${file}`, old, new: replacement },
});

const calm = { faults: [], hasLiar: false, forkMs: undefined, operatorPerMille: 0 } as const;
const locked = { lock: { mode: 'compliance', for: '6d' } } as const;

const dayMs = 24 * 3_600_000;

/** Hosts that hear of snapshots days later than the others. */
function late(hosts: readonly number[], days: number): KeepingPlan['faults'] {
  return [5, 15].flatMap((from) =>
    hosts.map((host) => ({
      kind: 'deaf' as const,
      host,
      atMs: from * dayMs,
      spanMs: days * dayMs,
    })),
  );
}

/** The clock of one host is set to another week, and back. */
const jumps: KeepingPlan['faults'] = [
  { kind: 'clock', host: 1, atMs: 12 * dayMs, spanMs: 6 * dayMs, byMs: 5 * dayMs },
];

export const keepingMutants: readonly KeepingMutant[] = [
  mutant(
    'lets go of what its own lock holds',
    { by: 'locks-kept', within: 10, plan: { ...calm, ...locked, faults: late([3], 5) } },
    service('trash-keeper.ts', 'return lockEnd(lock, isUnlocked) > nowMs;', 'return false;'),
  ),
  mutant(
    'takes a lock for shorter than it was promised',
    { by: 'locks-kept', within: 10, plan: { ...calm, ...locked, faults: late([3], 5) } },
    service(
      'trash-keeper.ts',
      'const lock = locks.of(record.hash);',
      'const rule = state().policy.ruleFor("db").lock?.forMs ?? 0;\n    const known = locks.of(record.hash);\n    const lock = known && { ...known, complianceMs: known.sinceMs + rule / 3, governanceMs: 0 };',
    ),
  ),
  mutant(
    'takes no pack for needed that an older snapshot named first',
    { by: 'needed', within: 10, plan: calm },
    service('pack-use.ts', 'for (const { pack } of packs) found.delete(pack);', ''),
  ),
  mutant(
    'deletes what snapshots need that are in the trash and not gone',
    { by: 'needed', within: 10, plan: calm },
    service(
      'trash-keeper.ts',
      'if (!users.every((record) => this.#isGone(record))) return true;',
      '',
    ),
  ),
  mutant(
    'does not care whether newer snapshots have arrived',
    { by: 'waited', within: 5, plan: { ...calm, keepLast: 1, faults: late([1, 3], 9) } },
    service(
      'pack-use.ts',
      'if (head === undefined || head.sequence < sequence)',
      'if (head === undefined)',
    ),
    service(
      'pack-use.ts',
      "return known?.hash === hash ? undefined : 'its history here is not the anchored one';",
      'return undefined;',
    ),
  ),
  mutant(
    'goes on when a writer has signed two histories',
    { by: 'needed', within: 10, plan: { ...calm, forkMs: 12 * dayMs } },
    service('pack-use.ts', 'return hasForked ||', 'return false && hasForked ||'),
  ),
  mutant(
    'leaves in the trash what is needed again',
    { by: 'needed', within: 20, plan: { operatorPerMille: 200 } },
    service('trash-keeper.ts', 'if (await store.recover(pack, index)) look.recovered++;', ''),
  ),
  mutant(
    'skips the veto',
    { by: 'waited', within: 5, plan: calm },
    control(
      'fate-book.ts',
      'time.begin(place, policy.current.expiry.vetoMs)',
      'time.begin(place, 0)',
    ),
  ),
  mutant(
    'empties the trash at once',
    { by: 'waited', within: 5, plan: calm },
    control(
      'fate-book.ts',
      'time.begin(place, policy.current.expiry.trashMs)',
      'time.begin(place, 0)',
    ),
  ),
  mutant(
    'takes the highest time that any voter says',
    { by: 'waited', within: 30, plan: { hasLiar: true } },
    control(
      'time-book.ts',
      'const passedMs = times.sort((a, b) => b - a)[Math.floor(voters.length / 2)] ?? 0;',
      'const passedMs = times.sort((a, b) => b - a)[0] ?? 0;',
    ),
  ),
  mutant(
    'believes a voter what the writer has not signed',
    { by: 'anchored', within: 5, plan: { hasLiar: true } },
    {
      file: 'core/protocol/opened-statement.ts',
      old: 'if (!opened.signers.some((signer) => equal(signer, writer))) {',
      new: 'if (opened.signers.length === 0) {',
    },
  ),
  mutant(
    'lets what is held expire',
    { by: 'waited', within: 30, plan: { operatorPerMille: 200 } },
    control('fate-book.ts', 'this.#set(saved(fate, [{ first: sequence, last: sequence }]));', ''),
  ),
  mutant(
    'lets go of a pack without a snapshot as soon as it sees one',
    { by: 'waited', within: 10, plan: calm },
    service('orphan-keeper.ts', 'return nowMs >= sinceMs +', 'return nowMs >= sinceMs + 0 *'),
  ),
  mutant(
    'lets one site alone decide',
    { by: 'agreed', within: 20, plan: { hasLiar: true } },
    control('fate-book.ts', "throw refusal('an agent at another site must reckon alike');", ''),
  ),
  mutant(
    'begins to expire what nobody has confirmed',
    { by: 'agreed', within: 5, plan: calm },
    control(
      'fate-book.ts',
      "const expiry: Expiry = { id, head, ranges, proposer, stage: 'proposed', wait: undefined };",
      "const wait = this.#context.time.begin({ generation: 1, index: 0 }, 0);\n    const expiry: Expiry = { id, head, ranges, proposer, stage: 'veto', wait };",
    ),
  ),
  mutant(
    'does not notice that its clock has jumped',
    { by: 'clock-trusted', within: 10, plan: { ...calm, faults: jumps } },
    {
      file: 'core/policy/conservative-time.ts',
      old: 'export const jumpMs = dayMs;',
      new: 'export const jumpMs = 1e15;',
    },
  ),
  mutant(
    'deletes when it likes, not when it is its turn',
    { by: 'slowly', within: 5, plan: calm },
    {
      file: 'core/policy/deletion-turn.ts',
      old: 'if (of <= 1) return true;',
      new: 'if (of >= 0) return true;',
    },
  ),
  mutant(
    'deletes as much as there is',
    { by: 'slowly', within: 30, plan: calm },
    service('deletion-quota.ts', 'if (after > most && this.#spent.bytes > 0) return false;', ''),
  ),
  mutant(
    'never deletes what is in the trash',
    { by: 'deleted', within: 3, plan: calm },
    service('trash-keeper.ts', 'await store.purge(pack, index);', ''),
  ),
  mutant(
    'never finds packs without a snapshot',
    { by: 'deleted', within: 10, plan: calm },
    service('orphan-keeper.ts', 'book.set(pack, orphan);', ''),
  ),
];
