import { HoldfastError } from '../../core/errors.ts';
import { idBytes, idOf, type StatementHash } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { LockLedger } from '../../ports/lock-ledger.ts';
import type { Serve } from '../serve.ts';

/** Tells other members for how long this host keeps what: that is no secret. */
export function answerLocks(
  serve: Pick<Serve, 'register'>,
  locks: Pick<LockLedger, 'of' | 'isDamaged'>,
): void {
  serve.register('locks', async ({ manifests }) => {
    if (manifests.length > limits.locksPerRequest) {
      throw new HoldfastError('limit-exceeded', `at most ${limits.locksPerRequest} locks at once`);
    }
    const found = manifests.flatMap((manifest) => {
      if (manifest.length !== 32) return [];
      return locks.of(idOf<StatementHash>(manifest)) ?? [];
    });
    return {
      isDamaged: locks.isDamaged,
      locks: found.map(({ snapshot, complianceMs, governanceMs }) => ({
        manifest: idBytes(snapshot),
        complianceMs: BigInt(complianceMs),
        governanceMs: BigInt(governanceMs),
      })),
    };
  });
}
