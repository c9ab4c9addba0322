import { toHex } from '../../base/bytes.ts';
import { RecentMap } from '../../base/recent-map.ts';
import { KiB } from '../../base/units.ts';
import { hash } from '../crypto/hash.ts';
import type { ClusterId } from '../ids.ts';
import { decodeCommand, encodeCommand } from './control-command.ts';
import { anyCount } from './control-field.ts';
import type { ControlCommand } from './control-records.ts';
import { addSignature, openEnvelope, sealEnvelope } from './envelope.ts';
import { integer } from './field.ts';

/** A command out of its envelope, every signature checked. */
export type OpenedCommand = {
  readonly command: ControlCommand;
  /** Of the control log that it was signed for. */
  readonly generation: number;
  /** 32 bytes: names the command; does not depend on who signed. */
  readonly hash: Uint8Array;
  /** Keys, 64 hexadecimal characters each; at least one. */
  readonly signers: ReadonlySet<string>;
};

/**
 * Signs a command with each of the Ed25519 secrets (32 bytes, of different keys).
 * @throws HoldfastError bad-encoding | limit-exceeded (over limits.envelopeSizeMax)
 */
export function sealCommand(options: {
  readonly command: ControlCommand;
  readonly cluster: ClusterId;
  readonly generation: number;
  readonly secrets: readonly Uint8Array[];
}): { bytes: Uint8Array; hash: Uint8Array } {
  const { cluster, secrets } = options;
  const payload = encodeCommand(options.command);
  const generation = BigInt(options.generation);
  // A statement's signature never passes for a command's: the type is part of what is signed.
  return sealEnvelope({ type: 'control', cluster, generation, payload, secrets });
}

/** The same envelope with the signature of one more. @throws HoldfastError bad-encoding | bad-signature */
export function cosignCommand(
  bytes: Uint8Array,
  { cluster, secret }: { readonly cluster: ClusterId; readonly secret: Uint8Array },
): Uint8Array {
  return addSignature(bytes, { cluster, type: 'control', secret });
}

/**
 * Checks an envelope completely: its encoding, that it is a command of this cluster, and every signature.
 * Whether the signers may say what it says is for the control state to judge.
 * @throws HoldfastError bad-encoding | bad-signature
 */
export function openCommand(bytes: Uint8Array, cluster: ClusterId): OpenedCommand {
  if (bytes.length > rememberedSizeMax) return openNew(bytes, cluster);
  const name = `${cluster}${toHex(hash('leaf', bytes))}`;
  const known = opened.get(name);
  if (known !== undefined) return known;
  const command = openNew(bytes, cluster);
  opened.set(name, command);
  return command;
}

/**
 * The newest commands: each is opened where it is applied, for its listeners, in a certificate and in every
 * image that carries it. Plans with their texts are too large to keep.
 */
const opened = new RecentMap<OpenedCommand>(256);
const rememberedSizeMax = 8 * KiB;

function openNew(bytes: Uint8Array, cluster: ClusterId): OpenedCommand {
  const { payload, generation, hash, signers } = openEnvelope(bytes, { cluster, type: 'control' });
  return {
    command: decodeCommand(payload),
    generation: integer(generation, { ...anyCount, min: 1 }, 'generation'),
    hash,
    signers: new Set(signers.map(toHex)),
  };
}
