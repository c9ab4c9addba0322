import { describe, expect, test } from 'vitest';
import { type DrillWish, needsKit, wishCommand } from '../../../src/dashboard/model/drill-wish.ts';

function wish(change: Partial<DrillWish> = {}): DrillWish {
  const nothing = { kit: '', path: '', without: [], isSandbox: false };
  return { scenario: 'dataset', dataset: 'web', ...nothing, ...change };
}

describe('the command of a drill', () => {
  test.each<[Partial<DrillWish>, string]>([
    [{}, 'holdfast drill run dataset web --kit FILE'],
    [{ kit: '/safe/my kit.txt' }, "holdfast drill run dataset web --kit '/safe/my kit.txt'"],
    [{ scenario: 'file', path: '/etc' }, 'holdfast drill run file web:/etc --kit FILE'],
    [
      { scenario: 'site-loss', without: ['ams1', 'nyc1'] },
      'holdfast drill run site-loss web --without ams1 --without nyc1 --kit FILE',
    ],
    [
      { scenario: 'site-loss', without: ['ams1'], isSandbox: true },
      'holdfast drill run site-loss web --sandbox',
    ],
    [{ scenario: 'ransomware', isSandbox: true }, 'holdfast drill run ransomware web'],
    [{ scenario: 'key-loss', isSandbox: true }, 'holdfast drill run key-loss web --sandbox'],
  ])('%j is what a person types', (change, command) => {
    expect(wishCommand(wish(change))).toBe(command);
  });

  test('needs the kit only for what is backed up', () => {
    expect(needsKit(wish())).toBe(true);
    expect(needsKit(wish({ isSandbox: true }))).toBe(false);
    expect(needsKit(wish({ scenario: 'partition' }))).toBe(false);
  });
});
