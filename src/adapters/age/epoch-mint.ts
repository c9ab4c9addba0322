import { utf8 } from '../../base/bytes.ts';
import type { EpochMint } from '../../ports/key-records.ts';
import type { Sealer } from '../../ports/sealer.ts';

/**
 * Makes epoch identities in this process. What JavaScript has held as text cannot be erased, so an agent asks a
 * process of its own for it (mint-process.ts).
 */
export function localMint(sealer: Sealer): EpochMint {
  return {
    mint: async (groups) => {
      const { identity, recipient } = await sealer.generate();
      const secret = utf8(identity);
      const files = await Promise.all(groups.map((group) => sealer.seal(group, secret)));
      secret.fill(0);
      return { recipient, files };
    },
  };
}
