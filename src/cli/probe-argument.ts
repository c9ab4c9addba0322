import { InvalidArgumentError } from 'commander';
import type { Probe } from '../core/policy/restore-plan.ts';

/** Collects health checks as people write them. */
export function checkArgument(value: string, before: readonly Probe[] | undefined): Probe[] {
  return [...(before ?? []), probeOf(value)];
}

function probeOf(value: string): Probe {
  if (/^https?:\/\//.test(value)) return { kind: 'http', url: value, expect: 200 };
  const tcp = /^tcp:(?:\/\/)?(.+)$/.exec(value)?.[1];
  if (tcp !== undefined) return { kind: 'tcp', address: tcp };
  const [, sha256, file] = /^sha256:([0-9a-fA-F]{64}):(\/.+)$/.exec(value) ?? [];
  if (sha256 !== undefined && file !== undefined) {
    return { kind: 'digest', file, sha256: sha256.toLowerCase() };
  }
  if (value.startsWith('/')) {
    return { kind: 'command', argv: value.split(/ +/).filter((word) => word !== '') };
  }
  throw new InvalidArgumentError(
    'Give http://.., tcp:HOST:PORT, sha256:HEX:/FILE, or /PROGRAM ARGUMENTS.',
  );
}
