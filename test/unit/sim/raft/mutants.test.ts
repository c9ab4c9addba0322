import { describe, expect, test } from 'vitest';
import { raftMutants } from '../../../../sim/raft/mutants.ts';
import { MutantBuild } from '../../../../sim/raft/mutants-build.ts';
import { hunt } from '../../../../sim/raft/mutants-hunt.ts';

/** One of each kind; all of them: node sim/raft/main.ts --mutants */
const chosen: readonly string[] = [
  'forgets its vote in a crash',
  'takes half of the voters for a quorum',
  'helps to unseat a leader that it hears',
  'leads on although it hears nobody',
  'commits an entry of an earlier term by counting',
  'sends before it has written',
  'answers reads without asking whether it still leads',
  'changes the voters before it has committed in its term',
  'begins a second change before the first is committed',
  'takes snapshots without their configuration',
  'votes for a log that may lack what its damaged journal had',
];

const mutants = raftMutants.filter(({ name }) => chosen.includes(name));

describe('the simulator of Raft', () => {
  test.for(mutants)('finds a member that $name', async (mutant) => {
    const { violation } = await hunt(mutant, { firstSeed: 1 });
    expect(violation).toBeDefined();
  });

  test('all chosen mutants exist', () => {
    expect(mutants.length).toBe(chosen.length);
  });

  test('every mutant still fits what is shipped', () => {
    for (const { name, patches } of raftMutants) {
      expect(() => new MutantBuild(patches)[Symbol.dispose](), name).not.toThrow();
    }
  });

  test('a mutant whose text is not there is an error', () => {
    const patch = { file: 'core/ids.ts', old: 'no such text', new: '' };
    expect(() => new MutantBuild([patch])).toThrow('has 0 times, not once');
  });
});
