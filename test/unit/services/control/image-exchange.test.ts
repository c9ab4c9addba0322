import { expect, test } from 'vitest';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { codeOf, HoldfastError } from '../../../../src/core/errors.ts';
import { logImageSizeMax } from '../../../../src/core/format/log-image.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';
import { ImageExchange } from '../../../../src/services/control/image-exchange.ts';

const peer = 'aa'.repeat(32) as PeerKey;
const other = 'bb'.repeat(32) as PeerKey;

type Ask = ConstructorParameters<typeof ImageExchange>[0]['ask'];

/** One host that has images, one that fetches them; `spoil` changes what is answered. */
class Scene {
  readonly server = new ImageExchange({ ask: notAsked });
  readonly offsets: number[] = [];
  readonly asked: PeerKey[] = [];
  spoil: (bytes: Uint8Array, offset: number) => Uint8Array = (bytes) => bytes;
  readonly client = new ImageExchange({
    ask: (async (to, { value }) => {
      const { hash: digest, offset } = value as { hash: Uint8Array; offset: bigint };
      this.asked.push(to);
      this.offsets.push(Number(offset));
      const { bytes } = this.server.piece({ hash: digest, offset } as never);
      return { bytes: this.spoil(bytes ?? new Uint8Array(0), Number(offset)) } as never;
    }) as Ask,
  });
}

const notAsked: Ask = () => Promise.reject(new Error('nobody is asked'));

function imageOf(size: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * seed) % 251);
}

test('an image of some MiB comes in pieces that each fit a message, and is what was named', async () => {
  const scene = new Scene();
  const image = imageOf(3_000_000);
  const ref = scene.server.offer(image);
  expect(await scene.client.fetch(peer, ref)).toEqual(image);
  expect(scene.offsets).toHaveLength(12);
});

test('an empty image needs no question', async () => {
  const scene = new Scene();
  const ref = scene.server.offer(new Uint8Array(0));
  expect(await scene.client.fetch(peer, ref)).toHaveLength(0);
  expect(scene.offsets).toEqual([]);
});

test('a transfer that broke goes on where it was, with another host that has the same image', async () => {
  const scene = new Scene();
  const image = imageOf(1_000_000);
  const ref = scene.server.offer(image);
  scene.spoil = (bytes, offset) => {
    if (offset > 500_000) throw new HoldfastError('peer-unreachable', 'the line is cut');
    return bytes;
  };
  await expect(scene.client.fetch(peer, ref)).rejects.toMatchObject({ code: 'peer-unreachable' });
  scene.spoil = (bytes) => bytes;
  const before = scene.offsets.length;
  expect(await scene.client.fetch(other, ref)).toEqual(image);
  expect(scene.offsets.slice(before)).toEqual([524_288, 786_432]);
  expect(scene.asked.at(-1)).toBe(other);
});

test('other bytes than were named are refused, and nothing of them is kept', async () => {
  const scene = new Scene();
  const image = imageOf(600_000);
  const ref = scene.server.offer(image);
  scene.spoil = (bytes) => bytes.map((byte) => byte ^ 1);
  await expect(scene.client.fetch(peer, ref)).rejects.toMatchObject({ code: 'corrupt' });
  scene.spoil = (bytes) => bytes;
  expect(await scene.client.fetch(peer, ref)).toEqual(image);
});

test.each([
  ['no bytes at all', () => new Uint8Array(0)],
  ['more than the image has', () => new Uint8Array(700_000)],
])('a piece with %s ends the transfer', async (_what, spoil) => {
  const scene = new Scene();
  const ref = scene.server.offer(imageOf(600_000));
  scene.spoil = spoil;
  await expect(scene.client.fetch(peer, ref)).rejects.toMatchObject({ code: 'corrupt' });
});

test('an image that is said to be larger than any is not begun', async () => {
  const scene = new Scene();
  const ref = { hash: hash('control-image', Uint8Array.of(1)), size: BigInt(logImageSizeMax) + 1n };
  await expect(scene.client.fetch(peer, ref)).rejects.toMatchObject({ code: 'limit-exceeded' });
  expect(scene.offsets).toEqual([]);
});

test('of many images those stay that are being fetched, and no more than a few', () => {
  const { server } = new Scene();
  const first = server.offer(imageOf(1000, 3));
  const ask = (ref: { hash: Uint8Array }) => server.piece({ hash: ref.hash, offset: 0n } as never);
  const refs = Array.from({ length: 10 }, (_, i) => {
    ask(first);
    return server.offer(imageOf(1000, 5 + i));
  });
  expect(ask(first).bytes).toHaveLength(1000);
  const left = refs.filter((ref) => {
    try {
      return ask(ref).bytes !== undefined;
    } catch (error) {
      expect(codeOf(error)).toBe('not-found');
      return false;
    }
  });
  expect(left).toHaveLength(3);
});
