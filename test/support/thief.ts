import { join } from 'node:path';
import { openStatementLog } from '../../src/adapters/fs/statement-log.ts';
import { publicKeyOf } from '../../src/core/crypto/signature.ts';
import { sealCommand } from '../../src/core/format/control-envelope.ts';
import type { ControlBody } from '../../src/core/format/control-records.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import { decodeRequest, encodeResponse } from '../../src/core/format/exchange.ts';
import type { Response } from '../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import { encodeStatement, type StatementBody, streamOf } from '../../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idOf, type PeerKey } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { generation, openStatement } from '../../src/core/protocol/opened-statement.ts';
import { compareStreams, headMessage } from '../../src/core/protocol/stream-heads.ts';
import type { Network } from '../../src/ports/network.ts';
import { ask, openAs, secretsOf } from './acting-member.ts';
import type { Cluster } from './cluster.ts';
import { collectingLog } from './collecting-log.ts';

type Chain = { readonly envelopes: Uint8Array[]; hash: Uint8Array };

/**
 * Whoever has root on a member's host: its keys, its statements and its place in the network, and no agent that
 * keeps to any rule. Its agent must have stopped. Peers find a member that answers them, and offers what it likes.
 */
export class Thief implements AsyncDisposable {
  readonly agentKey: AgentKey;
  readonly network: Network;
  readonly #cluster: ClusterId;
  readonly #secret: Uint8Array;
  readonly #chains = new Map<string, Chain>();
  /** Facts that it hands out, by their hashes. */
  readonly facts = new Map<string, Uint8Array>();
  #commands = 0;

  private constructor(cluster: ClusterId, secret: Uint8Array, network: Network) {
    this.#cluster = cluster;
    this.#secret = secret;
    this.network = network;
    this.agentKey = idOf<AgentKey>(publicKeyOf(secret));
  }

  static async take(stateDir: string, cluster: ClusterId): Promise<Thief> {
    const { transport, statement } = secretsOf(stateDir);
    const thief = new Thief(cluster, statement, await openAs(transport, cluster));
    await using log = await openStatementLog(join(stateDir, 'statements'), collectingLog());
    for (const { writer, stream, sequence, hash } of log.heads()) {
      if (writer !== thief.agentKey) continue;
      const envelopes = await log.read({ writer, stream }, 1, sequence);
      thief.#chains.set(stream, { envelopes, hash });
    }
    thief.network.serveCalls(async (_, request) => encodeResponse(thief.#answer(request)));
    return thief;
  }

  /** Stops the agent of a site, takes its host over, and reaches the others. @returns the last of them as target too */
  static async ofSite(
    cluster: Cluster,
    site: string,
    others: readonly string[],
  ): Promise<{ thief: Thief; target: PeerKey }> {
    const { clusterId } = await cluster.api(site).identity();
    await cluster.stop(site);
    const thief = await Thief.take(cluster.state(site), clusterId as ClusterId);
    let target = '' as PeerKey;
    for (const other of others) {
      const { peerKey, addresses } = await cluster.api(other).identity();
      target = peerKey as PeerKey;
      await thief.network.connect(target, addresses);
    }
    return { thief, target };
  }

  /** Length of one of its sequences. */
  length(stream: string): number {
    return this.#chains.get(stream)?.envelopes.length ?? 0;
  }

  /** The newest statement of a sequence. */
  newest(stream: string): ReturnType<typeof openStatement> {
    const envelope = this.#chains.get(stream)?.envelopes.at(-1);
    if (envelope === undefined) throw new Error(`nothing was said in ${stream}`);
    return openStatement(envelope, this.#cluster);
  }

  /** Signs the next statement of a sequence, and keeps it for whoever asks. @returns its envelope */
  sign(body: StatementBody, timeMs = Date.now()): Uint8Array {
    const stream = streamOf(body);
    const chain = this.#chains.get(stream) ?? { envelopes: [], hash: new Uint8Array(32) };
    const sequence = chain.envelopes.length + 1;
    const said = { writer: this.agentKey, stream, sequence, previous: chain.hash, timeMs, body };
    const { bytes, hash } = this.seal(encodeStatement(said));
    chain.envelopes.push(bytes);
    chain.hash = hash;
    this.#chains.set(stream, chain);
    return bytes;
  }

  /** Signs any payload as a statement. */
  seal(payload: Uint8Array): { bytes: Uint8Array; hash: Uint8Array } {
    const cluster = this.#cluster;
    return sealEnvelope({
      type: 'statement',
      cluster,
      generation,
      payload,
      secrets: [this.#secret],
    });
  }

  /** Has a command put into the control log by whoever takes it; what becomes of it is for the log to say. */
  async command(
    peer: PeerKey,
    body: ControlBody,
    secrets: readonly Uint8Array[] = [this.#secret],
  ): Promise<Response['body']> {
    const id = Buffer.alloc(16, ++this.#commands).toString('hex');
    const command = { id, timeMs: Date.now(), body } as Parameters<
      typeof sealCommand
    >[0]['command'];
    const { bytes } = sealCommand({ command, cluster: this.#cluster, generation: 1, secrets });
    const value = { envelope: bytes, isTransfer: false, to: new Uint8Array(), hops: 1 };
    return ask(this.network, peer, { case: 'propose', value });
  }

  #answer(bytes: Uint8Array): Parameters<typeof encodeResponse>[0] {
    const { body } = decodeRequest(bytes);
    if (body.case === 'heads') {
      const heads = [...this.#chains]
        .map(([stream, { envelopes, hash }]) => ({
          ...{ writer: this.agentKey, stream, sequence: envelopes.length, hash },
        }))
        .toSorted(compareStreams)
        .map(headMessage);
      return { body: { case: 'heads', value: { heads } } };
    }
    if (body.case === 'statements') {
      const { stream, from, count } = body.value;
      const all = idOf(body.value.writer) === this.agentKey ? this.#chains.get(stream) : undefined;
      const envelopes: Uint8Array[] = [];
      let size = 0;
      for (const one of all?.envelopes.slice(Number(from) - 1, Number(from) - 1 + count) ?? []) {
        size += one.length + 8;
        if (size > limits.messageSizeMax - 16_384) break;
        envelopes.push(one);
      }
      return { body: { case: 'statements', value: { envelopes } } };
    }
    if (body.case === 'facts') {
      const facts = body.value.hashes.flatMap((hash) => this.facts.get(idOf(hash)) ?? []);
      return { body: { case: 'facts', value: { facts } } };
    }
    const value = { code: 'not-permitted', message: 'no' };
    return { body: { case: 'failure', value } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
  }
}
