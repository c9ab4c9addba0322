import { open } from 'node:fs/promises';
import type { StateDirectory } from '../../adapters/fs/state-directory.ts';
import { openStateDirectory } from '../../adapters/fs/state-directory.ts';
import { systemEntropy } from '../../adapters/system/runtime.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { HoldfastError } from '../../core/errors.ts';
import { operatorSecretMark } from '../../core/format/operator-secret.ts';
import { stateFiles } from './identity.ts';
import { readPrivateFile } from './private-file.ts';

/** Of the files, which need no state directory, else of the state directory. @throws HoldfastError key-needed | wrong-key */
export async function operatorSecrets(
  stateDir: string,
  files: readonly string[],
): Promise<Uint8Array[]> {
  if (files.length > 0) return oncePerKey(await Promise.all(files.map(secretIn)));
  const state = await openStateDirectory(stateDir, { create: false });
  state.requireCluster(stateFiles.genesis);
  return [await readOperatorSecret(state)];
}

/**
 * An operator's signing key, 32 bytes: of the file, else of the state directory.
 * @throws HoldfastError key-needed | wrong-key
 */
export async function readOperatorSecret(
  state: StateDirectory,
  file?: string,
): Promise<Uint8Array> {
  if (file !== undefined) return secretIn(file);
  if (state.has(stateFiles.operator)) return state.readSecret(stateFiles.operator);
  throw new HoldfastError('key-needed', 'this needs an operator key, and none is on this host', {
    next: 'add --operator-key FILE, or run it on the host where the cluster was made',
  });
}

/** Makes a signing key in a new file that only its owner reads. @returns the public key, hexadecimal */
export async function makeOperatorKey(file: string): Promise<string> {
  const secret = systemEntropy().bytes(32);
  try {
    await using handle = await open(file, 'wx', 0o600);
    await handle.writeFile(`${operatorSecretMark} ${toHex(secret)}\n`);
    await handle.sync();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('io-error', `cannot make the operator key: ${reason}`, {
      next: 'name a file that does not exist yet: holdfast operator key -o FILE',
      cause,
    });
  }
  return toHex(publicKeyOf(secret));
}

/** One person who gives one key twice has signed once. */
function oncePerKey(secrets: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(secrets.map((secret) => [toHex(secret), secret])).values()];
}

async function secretIn(file: string): Promise<Uint8Array> {
  const bytes = await readKeyFile(file);
  const text = new TextDecoder().decode(bytes).trim();
  const secret = bytes.length === 32 ? bytes : fromHex(text.replace(operatorSecretMark, '').trim());
  if (secret?.length !== 32) throw new HoldfastError('wrong-key', `${file} is not an operator key`);
  return secret;
}

/** More than a key in any form. */
const keyFileSizeMax = 4096;

async function readKeyFile(file: string): Promise<Uint8Array> {
  // Whoever else can read it, or replace it, is an operator too.
  const read = await readPrivateFile(file, keyFileSizeMax);
  if (read.kind === 'read') return read.bytes;
  if (read.kind === 'too-large') {
    throw new HoldfastError('wrong-key', `${file} is no operator key`);
  }
  if (read.kind === 'not-private') {
    throw new HoldfastError('wrong-key', `${file} ${read.problem}`, { next: read.next });
  }
  const { reason, cause } = read;
  throw new HoldfastError('io-error', `cannot read the operator key: ${reason}`, { cause });
}
