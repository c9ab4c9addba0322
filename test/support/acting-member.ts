import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openNetwork } from '../../src/adapters/libp2p/node.ts';
import { decodeResponse, encodeRequest } from '../../src/core/format/exchange.ts';
import type { Response } from '../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import type { ClusterId, PeerKey } from '../../src/core/ids.ts';
import type { Network } from '../../src/ports/network.ts';
import { collectingLog } from './collecting-log.ts';

/** The two secrets of an agent, 32 bytes each, out of its state directory. */
export function secretsOf(stateDir: string): { transport: Uint8Array; statement: Uint8Array } {
  const bytes = new Uint8Array(readFileSync(join(stateDir, 'identity.key')));
  return { transport: bytes.slice(0, 32), statement: bytes.slice(32) };
}

/** The network as whoever has this secret sees it: no agent behind it, everybody may answer. */
export function openAs(transportSecret: Uint8Array, cluster: ClusterId): Promise<Network> {
  return openNetwork({
    transportSecret,
    cluster,
    listen: [],
    admit: () => true,
    log: collectingLog(),
    dht: false,
    gossip: false,
  });
}

type RequestBody = NonNullable<Parameters<typeof encodeRequest>[0]['body']>;

/** One request of any kind, well formed or not in what it says. */
export async function ask(
  network: Network,
  peer: PeerKey,
  body: RequestBody,
): Promise<Response['body']> {
  const request = encodeRequest({ body });
  return decodeResponse(await network.call(peer, request, { timeoutMs: 10_000 })).body;
}
