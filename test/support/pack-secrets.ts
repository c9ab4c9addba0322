import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ageSealer } from '../../src/adapters/age/sealer.ts';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { decodeKeyRecord } from '../../src/core/format/key-record.ts';
import { decodePackHeader } from '../../src/core/format/pack.ts';
import { parseKit } from '../../src/core/format/recovery-kit.ts';

const sealer = ageSealer();

/**
 * Everything that opens what one dataset has stored, by what it is, as whoever holds the kit finds it out. Shards of the
 * member at `state` must be whole packs, as they are with up to three sites.
 */
export async function packSecrets(
  kitFile: string,
  state: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const secrets = new Map<string, Uint8Array>();
  const { identity: kit } = parseKit(readFileSync(kitFile, 'utf8'));
  secrets.set('kit', utf8(kit)).set('seed of the kit', seedOf(kit));
  const [name = ''] = readdirSync(join(state, 'keys'));
  const { files } = decodeKeyRecord(readFileSync(join(state, 'keys', name)));
  const epoch = fromUtf8(await sealer.open(kit, files[0] as Uint8Array)) ?? '';
  secrets.set('epoch', utf8(epoch)).set('seed of the epoch', seedOf(epoch));
  for (const pack of packsBelow(join(state, 'shards'))) {
    const { sealedKey } = decodePackHeader(pack);
    secrets.set(`key of pack ${secrets.size}`, await sealer.open(epoch, sealedKey));
  }
  return secrets;
}

/** Every file below a directory, whole. */
export function filesBelow(directory: string): { path: string; bytes: Buffer }[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, bytes: readFileSync(path) }));
}

/** proto/README.md, "Shard file". */
function packsBelow(directory: string): Uint8Array[] {
  return filesBelow(directory)
    .map(({ bytes }) => bytes)
    .filter((file) => file.subarray(0, 4).toString('latin1') === 'HFSH')
    .map((file) => file.subarray(Math.ceil((12 + file.readUInt32BE(8)) / 4096) * 4096));
}

/** The bytes in a Bech32 text (BIP 173), without its check. */
function seedOf(identity: string): Uint8Array {
  const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  const data = identity.toLowerCase().slice(identity.lastIndexOf('1') + 1, -6);
  const bits = [...data].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Uint8Array.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}
