import { describe, expect, test } from 'vitest';
import type { MakeRaft } from '../../../../../sim/raft/member.ts';
import { runRaftSeed } from '../../../../../sim/raft/run.ts';
import { shrink } from '../../../../../sim/raft/shrink.ts';
import { Raft } from '../../../../../src/core/protocol/raft/raft.ts';
import type { RaftLike } from '../../../../../src/core/protocol/raft/types.ts';

const seedCount = 100;

/** A bug: sends leave before what they rest on is durable. */
const hasty: MakeRaft = (stored, settings, options): RaftLike => {
  const raft = new Raft(stored, settings, options);
  return {
    status: () => raft.status(),
    step: (input) => {
      const { outcome, effects } = raft.step(input);
      const [first, ...rest] = effects;
      return { outcome, effects: first?.kind === 'persist' ? [...rest, first] : effects };
    },
  };
};

describe('the swarm', () => {
  test(`seeds 1 to ${seedCount} break no rule, and come to agree`, () => {
    for (let seed = 1; seed <= seedCount; seed++) {
      expect({ seed, violations: runRaftSeed(seed).violations }).toEqual({ seed, violations: [] });
    }
  });

  test('the same seed gives the same run, and another one another', () => {
    const hashes = [5, 5, 6].map((seed) => runRaftSeed(seed).traceHash);
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[2]);
  });

  test('to be printed does not change a run', () => {
    const lines: string[] = [];
    const { traceHash } = runRaftSeed(5, { print: (line) => lines.push(line) });
    expect(runRaftSeed(5).traceHash).toBe(traceHash);
    expect(lines.length).toBeGreaterThan(100);
  });

  test('a member that sends before it has written is found out', () => {
    expect(runRaftSeed(5, { make: hasty }).violations).toMatchObject([{ checker: 'durability' }]);
  });

  test('what does not need its faults is shrunk to none of them', () => {
    expect(runRaftSeed(13).faults.length).toBeGreaterThan(0);
    expect(shrink(13, { make: hasty })).toEqual([]);
  });
});
