import { isIPv4, isIPv6 } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { parseDuration, parseSize } from '../base/quantity.ts';
import { codeOf } from '../core/errors.ts';
import { annotationsMax, annotationsOf } from '../core/format/manifest.ts';

/** Collects an option that may be given several times. */
export function repeated(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Like `repeated`, and each may hold several, separated by commas. */
export function repeatedList(value: string, before: readonly string[] | undefined): string[] {
  const parts = value.split(',').map((part) => part.trim());
  return [...(before ?? []), ...parts.filter((part) => part !== '')];
}

/** Collects KEY=VALUE; a key that is given twice has the later value. */
export function annotationArgument(
  value: string,
  before: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const at = Math.max(0, value.indexOf('='));
  const all = { ...before, [value.slice(0, at)]: value.slice(at + 1) };
  try {
    annotationsOf(all);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw new InvalidArgumentError(
      `Give KEY=VALUE, as deploy=v1.2: a key of a-z 0-9 . _ - with at most 32 characters, a printable value of at most 128; and at most ${annotationsMax} of them.`,
    );
  }
  return all;
}

export function sizeArgument(value: string): number {
  const size = parseSize(value);
  if (size === undefined) throw new InvalidArgumentError('Give a size such as 500M or 2GiB.');
  return size;
}

export function durationArgument(value: string): number {
  const duration = parseDuration(value);
  if (duration === undefined || duration === 0) {
    throw new InvalidArgumentError('Give a duration such as 30m or 24h.');
  }
  return duration;
}

/** A whole number of sites. */
export function countArgument(value: string): number {
  if (!/^\d{1,3}$/.test(value)) throw new InvalidArgumentError('Give a whole number.');
  return Number(value);
}

/** Several addresses, each a multiaddr or IP:PORT, [IP]:PORT, HOST:PORT. */
export function repeatedAddress(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), addressArgument(value)];
}

/** The multiaddr of what people write. */
export function addressArgument(value: string): string {
  if (/^\/[\x21-\x7e]+$/.test(value)) return value;
  const match = /^(?:\[([^\]]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new InvalidArgumentError(
      'Give HOST:PORT, or a multiaddr such as /ip4/192.0.2.1/tcp/7420.',
    );
  }
  if (isIPv4(host)) return `/ip4/${host}/tcp/${port}`;
  if (isIPv6(host)) return `/ip6/${host}/tcp/${port}`;
  if (!/^[A-Za-z0-9.-]{1,253}$/.test(host)) {
    throw new InvalidArgumentError(`"${host}" is neither an IP address nor a host's name.`);
  }
  return `/dns/${host}/tcp/${port}`;
}

export type SnapshotPath = {
  /** Id prefix or "latest". */
  snapshot: string;
  /** Inside the snapshot, absolute, without a slash at the end; "/" is all of it. */
  path: string;
};

/** SNAP or SNAP:PATH. */
export function parseSnapshotPath(value: string): SnapshotPath {
  const colon = value.indexOf(':');
  const snapshot = colon === -1 ? value : value.slice(0, colon);
  if (snapshot === '') {
    throw new InvalidArgumentError('Name a snapshot before the colon: latest:/path or ID:/path.');
  }
  const parts = (colon === -1 ? '' : value.slice(colon + 1)).split('/');
  if (parts.includes('..')) throw new InvalidArgumentError('A path in a snapshot has no "..".');
  return { snapshot, path: `/${parts.filter((part) => part !== '' && part !== '.').join('/')}` };
}

/** A version number, from 1. */
export function versionArgument(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value))
    throw new InvalidArgumentError('Give a whole number from 1 on.');
  return Number(value);
}
