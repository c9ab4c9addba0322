import { beforeEach, describe, expect, test } from 'vitest';
import { idOf, type StatementHash } from '../../../../../src/core/ids.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { SampleControl } from './sample-control.ts';

const manifest = idOf<StatementHash>(new Uint8Array(32).fill(7));
const clear = { kind: 'clear-suspect', manifest, reason: 'a migration' } as const;

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

describe('clearing a suspect snapshot', () => {
  test('is an operator’s word, with a name and a reason', () => {
    expect(log.byOperator(clear)).toBe('applied');
    expect(log.state.cleared.of(manifest)).toMatchObject({ reason: 'a migration' });
    expect(log.state.cleared.of(manifest)?.authors).toHaveLength(1);
  });

  test('is not for agents: the source of a suspect snapshot is one', () => {
    expect(log.by(log.oslo, clear)).toBe('an operator must sign this');
    expect(log.state.cleared.all()).toEqual([]);
  });

  test('is said once', () => {
    log.byOperator(clear);
    expect(log.byOperator(clear)).toBe('this snapshot was cleared before');
  });

  test('survives in the image of the state', () => {
    log.byOperator(clear);
    const { genesis, cluster } = log.state;
    const again = ControlState.decode(log.state.encode(), genesis, cluster);
    expect(again.cleared.all()).toEqual(log.state.cleared.all());
    expect(again.hash()).toEqual(log.state.hash());
  });
});
