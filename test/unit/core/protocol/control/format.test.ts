import { beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../../../../src/core/errors.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import { FormatBook } from '../../../../../src/core/protocol/control/format-book.ts';
import { OperatorsControl } from './sample-operators.ts';

let log: OperatorsControl;

beforeEach(() => {
  log = OperatorsControl.begin();
});

const second = { kind: 'format', version: 2 } as const;

describe('the format of the log', () => {
  test('is the first one, and leaves no trace in an image, until operators say otherwise', () => {
    expect(log.state.format.current).toBe(1);
    expect(log.state.format.image()).toBe(0);
    expect(log.signed(second, 'Ada')).toContain('2 operators must sign this');
    expect(log.signed({ ...second, version: 3 }, 'Ada', 'Bea')).toContain('format 1 is in force');
    expect(log.state.format.isKnown).toBe(true);
  });

  test('is raised by operators who sign one after the other', () => {
    const { hash } = log.propose(second);
    expect(log.state.format.current).toBe(1);
    expect(log.approve(hash, 'Bea')).toBe('applied');
    expect(log.state.format.current).toBe(2);
  });

  test('counts where it is raised, and ends what a version can apply that does not know it', () => {
    const { lastIndex } = log.state;
    expect(log.signed(second, 'Ada', 'Bea')).toBe('applied');
    expect(log.state.lastIndex).toBe(lastIndex + 1);
    expect(log.state.format).toMatchObject({ current: 2, isKnown: false });
    const layout = { kind: 'layout', version: 2, base: 1, mode: 'auto', voters: [] } as const;
    expect(() => log.signed(layout, 'Ada', 'Bea')).toThrow('nobody applies');
  });

  test('of an image is looked at first: a later one is refused by its name', () => {
    log.signed(second, 'Ada', 'Bea');
    const { genesis, cluster } = log.state;
    const decode = () => ControlState.decode(log.state.encode(), genesis, cluster);
    expect(decode).toThrow('of format 2, and the software of this host knows 1');
    expect(codeOf(caught(decode))).toBe('outdated-software');
  });

  test('lets every command of the first format be said from the beginning', () => {
    expect(() => new FormatBook().requireInForce(second)).not.toThrow();
  });
});

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
