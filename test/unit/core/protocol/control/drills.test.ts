import { beforeEach, describe, expect, test } from 'vitest';
import { idOf, type StatementHash } from '../../../../../src/core/ids.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { SampleControl, bergen, riga } from './sample-control.ts';

const hashOf = (byte: number): StatementHash => idOf(new Uint8Array(32).fill(byte));
const head = (sequence: number) => ({ kind: 'drill', sequence, hash: hashOf(sequence) }) as const;

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

describe('the newest drill report of an agent', () => {
  test('is fixed by any member that says it, for itself alone', () => {
    expect(log.by(riga, head(3))).toBe('applied');
    expect(log.state.drills.of(riga.agentKey)).toMatchObject({ sequence: 3, hash: hashOf(3) });
    expect(log.state.drills.of(bergen.agentKey)).toBeUndefined();
  });

  test('never becomes an older one, or another one at its place', () => {
    log.by(riga, head(3));
    expect(log.by(riga, head(2))).toContain('anchored before');
    expect(log.by(riga, { ...head(3), hash: hashOf(9) })).toContain('anchored before');
    expect(log.by(riga, head(4))).toBe('applied');
  });

  test('is not for operators to say', () => {
    expect(log.byOperator(head(1))).not.toBe('applied');
  });

  test('survives in the image of the state', () => {
    log.by(riga, head(3));
    log.by(bergen, head(1));
    const { genesis, cluster } = log.state;
    const again = ControlState.decode(log.state.encode(), genesis, cluster);
    expect(again.drills.of(riga.agentKey)).toEqual(log.state.drills.of(riga.agentKey));
    expect(again.hash()).toEqual(log.state.hash());
  });
});
