import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';
import { deriveKey } from '../../../../src/core/crypto/derive.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import {
  formatKit,
  parseKit,
  type RecoveryKit,
  recoverySecret,
} from '../../../../src/core/format/recovery-kit.ts';
import { idOf } from '../../../../src/core/ids.ts';
import { kit } from './samples.ts';

const text = formatKit(kit);

function refusal(kitText: string): string {
  try {
    parseKit(kitText);
    return 'taken';
  } catch (error) {
    expect(codeOf(error)).toBe('wrong-key');
    return (error as Error).message;
  }
}

describe('a recovery kit on paper', () => {
  test('is at most 72 columns wide and says how to restore', () => {
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(72);
    expect(text).toContain('holdfast restore latest --kit FILE --peer ADDRESS -t DIR');
  });

  test('comes back as it was', () => {
    expect(parseKit(text)).toEqual(kit);
  });

  test('comes back whatever its ids, addresses and dates are', () => {
    const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const digits = 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L'.split('');
    const key = fc.string({ unit: fc.constantFrom(...digits), minLength: 58, maxLength: 58 });
    const host = fc.stringMatching(/^[a-z0-9:.-]{1,200}$/);
    const address = fc.record({ peer: id.map((bytes) => idOf(bytes)), hosts: fc.array(host) });
    const kits = fc.record({
      id,
      key,
      addresses: fc.array(address, { maxLength: 3 }),
      ms: fc.nat(),
    });
    fc.assert(
      fc.property(kits, ({ id: cluster, key: digitsOfKey, addresses, ms }) => {
        const any: RecoveryKit = {
          clusterName: 'home',
          clusterId: idOf(cluster),
          identity: `AGE-SECRET-KEY-PQ-1${digitsOfKey}`,
          addresses: addresses.map(({ peer, hosts }) => ({
            peer: idOf(Uint8Array.from(Buffer.from(peer, 'hex'))),
            multiaddrs: hosts.map((name) => `/dns4/${name}/tcp/1`),
          })),
          createdMs: ms,
        };
        expect(parseKit(formatKit(any))).toEqual(any);
      }),
      { numRuns: 50 },
    );
  });

  test('may be typed without care: spaces, blank lines, cases, comments', () => {
    const typed = text
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => `  ${line.replace(':', '   :  ')}  \r`)
      .join('\n\n')
      .replace('Cluster id', 'CLUSTER  ID')
      .replace('Identity', 'identity')
      .replace('Peer', 'pEER');
    expect(parseKit(`# my notes: keep\n${typed}`)).toEqual(kit);
  });

  test('needs only the cluster id and the identity', () => {
    const [first, second] = [kit.identity.slice(0, 30), kit.identity.slice(30)];
    const least = `identity: ${first.toLowerCase()}\n${second}\ncluster id: ${kit.clusterId}`;
    expect(parseKit(least)).toEqual({
      clusterName: '',
      clusterId: kit.clusterId,
      identity: kit.identity,
      addresses: [],
      createdMs: 0,
    });
  });
});

describe('a recovery kit is refused with a word about', () => {
  const without = (label: string): string =>
    text.replace(new RegExp(`^${label}:.*\n(?: .*\n)*`, 'm'), '');
  const cases: [string, string, string][] = [
    ['a missing identity', without('Identity'), '"Identity" is missing'],
    ['a missing cluster id', without('Cluster id'), '"Cluster id" is missing'],
    ['an empty file', '', '"Cluster id" is missing'],
    ['an address of nobody', without('Peer'), '"Peer" is missing'],
    ['a cluster id of a wrong length', text.replace('191919', '1919'), '"Cluster id" is not right'],
    ['a letter that keys do not have', text.replace('QQ\n', 'BQ\n'), '"Identity" is not right'],
    ['a mistyped key', text.replace('QQ\n', 'ZQ\n'), 'mistyped'],
    ['a mistyped cluster id', text.replace('191919', '191918'), 'mistyped'],
    ['an identity twice', `${text}\nIdentity: ${kit.identity}`, '"Identity" is there twice'],
    ['a mistyped label', text.replace('Identity:', 'Identty:'), 'is not understood'],
    ['a line before all others', `hello\n${text}`, 'line 1 is not understood'],
    ['an address that is none', text.replace('/ip4/', 'ip4/'), '"Address" is not right'],
    ['a date that is none', text.replace('2026-', '2026/13/'), '"Created" is not right'],
  ];

  test.each(cases)('%s', (_what, wrong, words) => {
    expect(wrong).not.toBe(text);
    expect(refusal(wrong)).toContain(words);
  });

  test('the line, but never the key itself', () => {
    expect(refusal(text.replace('QQ\n', 'BQ\n'))).not.toContain('QQQQ');
  });
});

test('the kit is known on connections by a key that follows from its identity', () => {
  const expected = deriveKey(utf8(kit.identity), 'holdfast 1 recovery peer');
  expect(toHex(recoverySecret(kit.identity))).toBe(toHex(expected));
});
