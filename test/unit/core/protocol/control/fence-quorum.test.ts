import { describe, expect, test } from 'vitest';
import { deadQuorum, fenceQuorum } from '../../../../../src/core/protocol/control/fence-quorum.ts';

describe('the fence quorum', () => {
  test.each([
    [3, 0, 2],
    [5, 0, 3],
    [4, 1, 3],
    [5, 1, 4],
    [7, 2, 5],
  ])('of %i voters, %i of them faulty, is %i', (voters, faulty, quorum) => {
    expect(fenceQuorum(voters, faulty)).toBe(quorum);
  });

  test('two quorums share an honest voter, and a dead slot cannot be decided', () => {
    for (let voters = 1; voters <= 9; voters++) {
      for (let faulty = 0; 3 * faulty < voters; faulty++) {
        const quorum = fenceQuorum(voters, faulty);
        expect(2 * quorum - voters).toBeGreaterThanOrEqual(faulty + 1);
        // Of those who abandoned, the faulty ones may grant all the same.
        const stillGranting = voters - (deadQuorum(voters, faulty) - faulty);
        expect(stillGranting).toBeLessThan(quorum);
      }
    }
  });
});
