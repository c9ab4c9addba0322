import { InvalidArgumentError } from 'commander';
import { expect, it } from 'vitest';
import {
  addressArgument,
  annotationArgument,
  countArgument,
  durationArgument,
  parseSnapshotPath,
  repeated,
  repeatedList,
  sizeArgument,
} from '../../../src/cli/arguments.ts';

it.each([
  ['latest', { snapshot: 'latest', path: '/' }],
  ['latest:', { snapshot: 'latest', path: '/' }],
  ['3f2a:/etc/hosts', { snapshot: '3f2a', path: '/etc/hosts' }],
  ['3f2a:etc//./hosts/', { snapshot: '3f2a', path: '/etc/hosts' }],
  ['latest:/with:colon', { snapshot: 'latest', path: '/with:colon' }],
  ['latest:/a b/…', { snapshot: 'latest', path: '/a b/…' }],
])('reads %j as a snapshot and a path in it', (text, expected) => {
  expect(parseSnapshotPath(text)).toEqual(expected);
});

it.each([':/etc', '', 'latest:/a/../b'])('refuses %j as a snapshot', (text) => {
  expect(() => parseSnapshotPath(text)).toThrow();
});

it.each([
  ['192.0.2.1:7420', '/ip4/192.0.2.1/tcp/7420'],
  ['[2001:db8::1]:7420', '/ip6/2001:db8::1/tcp/7420'],
  ['backup.example.org:80', '/dns/backup.example.org/tcp/80'],
  ['/ip4/192.0.2.1/tcp/7420', '/ip4/192.0.2.1/tcp/7420'],
])('reads the address %j as %s', (text, expected) => {
  expect(addressArgument(text)).toBe(expected);
});

it.each(['192.0.2.1', '192.0.2.1:99999', 'two words:1', '[zz zz]:1', '2001:db8::1:7420', ''])(
  'refuses the address %j',
  (text) => {
    expect(() => addressArgument(text)).toThrow();
  },
);

it('refuses sizes, durations and counts that are none', () => {
  expect(sizeArgument('2M')).toBe(2 ** 21);
  expect(() => sizeArgument('two')).toThrow();
  expect(durationArgument('30m')).toBe(1_800_000);
  expect(() => durationArgument('0s')).toThrow();
  expect(countArgument('2')).toBe(2);
  expect(() => countArgument('-2')).toThrow();
});

it('collects repeated options, and lists within them', () => {
  expect(repeated('b', repeated('a', undefined))).toEqual(['a', 'b']);
  expect(repeatedList('b, c,', repeatedList('a', undefined))).toEqual(['a', 'b', 'c']);
});

it('collects annotations, of which a key that is given twice has the later value', () => {
  const first = annotationArgument('deploy=v1', undefined);
  expect(annotationArgument('url=a=b', first)).toEqual({ deploy: 'v1', url: 'a=b' });
  expect(annotationArgument('deploy=v2', first)).toEqual({ deploy: 'v2' });
});

it.each(['deploy', '=v1', 'deploy=', 'Deploy=v1', 'deploy=a\u0007b', `deploy=${'é'.repeat(129)}`])(
  'refuses the annotation %j as what was typed wrongly',
  (text) => {
    expect(() => annotationArgument(text, undefined)).toThrow(InvalidArgumentError);
  },
);

it('refuses more annotations than a snapshot carries', () => {
  const all = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key-${i}`, 'x']));
  expect(() => annotationArgument('more=x', all)).toThrow(InvalidArgumentError);
  expect(Object.keys(annotationArgument('key-0=y', all))).toHaveLength(16);
});
