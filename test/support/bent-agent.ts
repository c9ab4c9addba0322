import { HoldfastError } from '../../src/core/errors.ts';
import { Challenger } from '../../src/services/repair/challenger.ts';
import { Scrub } from '../../src/services/repair/scrub.ts';
import { StoragePeer } from '../../src/services/storage-peer.ts';
import { isDroppedLeaf } from './dropped-leaves.ts';

/**
 * How an agent differs from the shipped one. `hurries`: it asks others for leaves once a second, a day's questions in
 * eight minutes. The others have thrown away some leaves and go on as if they had not: asked for one of them they say
 * that there is no such shard, or show something else, or have no time.
 */
export type Bent = 'hurries' | 'denies' | 'spoils' | 'hides';

const hurriedMs = 1000;

function hurry(): void {
  Challenger.prototype.run = async function (this: Challenger, options): Promise<void> {
    while (options.signal?.aborted !== true) {
      await this.round(options);
      await new Promise((resume) => {
        setTimeout(resume, hurriedMs);
      });
    }
  };
}

function cheat(lie: string | undefined): void {
  const { serve } = StoragePeer.prototype;
  StoragePeer.prototype.serve = async function (this: StoragePeer, request) {
    const { leaf, count } = request;
    const asked = Array.from({ length: count }, (_, i) => leaf + i);
    if (!asked.some(isDroppedLeaf)) return serve.call(this, request);
    if (lie === 'denies') throw new HoldfastError('not-found', 'there is no such shard');
    if (lie === 'hides') throw new HoldfastError('limit-exceeded', 'too busy');
    const honest = await serve.call(this, { ...request, leaf: 0, count: 1 });
    return { ...honest, bytes: honest.bytes.slice().fill(0) };
  };
  // Its own reading back would find the holes, and an honest program would tell.
  Scrub.prototype.run = async () => {};
}

const { BENT: bent } = process.env;
if (bent === 'hurries') hurry();
else cheat(bent);
const { main } = await import('../../src/cli/main.ts');
await main();
