import { toHex } from '../src/base/bytes.ts';
import { decodeRequest, encodeResponse } from '../src/core/format/exchange.ts';
import { clusterStream, manifestStream, type StatementBody } from '../src/core/format/statement.ts';
import { type AgentKey, type DatasetId, idBytes, idOf, type PeerKey } from '../src/core/ids.ts';
import {
  compareStreams,
  encodeAnnouncement,
  headMessage,
} from '../src/core/protocol/stream-heads.ts';
import type { SimAgent } from './agent.ts';
import {
  admissionOf,
  founder,
  foundingWithLiar,
  genesisBytes,
  inviteFor,
  liar,
  newcomers,
  operatorKey,
  otherCluster,
  recipient,
  type Signed,
  secretOf,
  signed,
} from './cast.ts';
import type { Internet } from './internet.ts';
import { SimNetwork } from './network.ts';
import type { Prng } from './prng.ts';
import { manifestAfter } from './workload.ts';
import { epochMs, Life, type World } from './world.ts';

/** In the sequence of somebody who is no member; nobody asks for it. */
const strange = signed({
  secret: secretOf('stranger'),
  body: { kind: 'address', multiaddrs: ['/ip4/10.0.99.3/tcp/7420'], version: '' },
  after: undefined,
});

const dataset = idOf<DatasetId>(idBytes(liar.agentKey).subarray(0, 16));

/**
 * A member that lies. To one half of its peers it tells one history of its own, to the other half another;
 * and it hands out what nobody has said: forged, moved to another place, of another cluster, beyond its role.
 */
export class Liar {
  /** Hashes of statements that no honest host may ever accept. */
  readonly lies = new Set<string>([toHex(strange.hash)]);
  readonly #world: World;
  readonly #random: Prng;
  readonly #network: SimNetwork;
  readonly #agents: readonly SimAgent[];
  /** Two histories of its own. */
  readonly #histories: readonly [Signed[], Signed[]] = [[], []];
  /** The newest invention alone: everybody checks each of its signatures again in every round. */
  #invented: Signed | undefined;

  constructor(world: World, internet: Internet, agents: readonly SimAgent[]) {
    this.#world = world;
    this.#random = world.random.fork();
    this.#agents = agents;
    const host = { address: '/ip4/10.0.99.1/tcp/7420', name: 'liar' };
    const options = { self: liar.peerKey, life: new Life(), host, admit: () => true };
    this.#network = new SimNetwork(internet, options);
    this.#network.keep(
      agents.map(({ person, address }) => ({ peer: person.peerKey, addresses: [address] })),
    );
    this.#network.serveCalls(async (peer, request) => this.#answer(peer, request));
  }

  /** Says or invents one thing more, and tells everybody that there is news. */
  step(): void {
    const roll = this.#random.below(10);
    if (roll < 4) this.#say();
    else this.#invent();
    const heads = this.#headsFor(this.#random.pick(this.#histories));
    void this.#network.publish(encodeAnnouncement(heads.slice(0, 100)));
  }

  /** It invents no more, but stands by its two histories. */
  calmDown(): void {
    this.#invented = undefined;
  }

  /** The next statement of its own sequences; from some point on, in two versions. */
  #say(): void {
    const isTwo = this.#random.chance(500);
    for (const [i, history] of this.#histories.entries()) {
      const version = isTwo ? String(i) : 'both';
      const own = history.filter(({ stream }) => stream === clusterStream);
      const body = own.length === 0 ? datasetOf() : this.#bodyOf(history, version);
      const after = history.findLast(({ stream }) => stream === streamNameOf(body));
      history.push(signed({ secret: liar.statementSecret, body, after }));
    }
    this.#world.note(`the liar says ${isTwo ? 'two things' : 'one thing'}`);
  }

  #bodyOf(history: readonly Signed[], version: string): StatementBody {
    if (history.length % 2 === 0) {
      return { kind: 'address', multiaddrs: ['/ip4/10.0.99.1/tcp/7420'], version };
    }
    const after = history.findLast(({ stream }) => stream === manifestStream(dataset));
    return { ...manifestAfter(dataset, after, []), tags: [`v${version}`] };
  }

  /** Something that nobody may accept, on top of what an honest host holds now. */
  #invent(): void {
    const victim = this.#random.pick(this.#agents);
    const address: StatementBody = {
      kind: 'address',
      multiaddrs: ['/ip4/10.0.99.2/tcp/7420'],
      version: String(this.#random.next()),
    };
    const cluster = victim.disk
      .heads()
      .find(({ writer, stream }) => writer === victim.person.agentKey && stream === clusterStream);
    const { statementSecret: secret } = liar;
    const inventions: (() => Signed)[] = [
      // In the name of another, signed by the liar.
      () => signed({ writer: victim.person.agentKey, secret, body: address, after: cluster }),
      // What the victim really signed, for another cluster.
      () =>
        signed({
          secret: victim.person.statementSecret,
          body: address,
          after: cluster,
          cluster: otherCluster,
        }),
      // An invite by nobody who may make one.
      () =>
        signed({
          writer: operatorKey,
          secret,
          body: this.#invite(),
          after: this.#operatorHead(victim),
        }),
      // A receipt, for which it has not the role.
      () => signed({ secret, body: receipt(), after: undefined }),
      // Its own next statement, on top of one that nobody has seen.
      () => signed({ secret, body: address, after: this.#unseenHead(victim) }),
      // An admission without an invite, in its own sequence.
      () => signed({ secret, body: admission(), after: this.#ownCluster() }),
    ];
    const invention = this.#random.pick(inventions)();
    const { writer, stream, sequence, hash } = invention;
    this.lies.add(toHex(hash));
    this.#invented = invention;
    this.#world.meet('lie invented');
    this.#world.note(`the liar invents ${writer.slice(0, 8)}/${stream} ${sequence}`);
  }

  #invite(): StatementBody {
    const code = this.#random.bytes(32);
    return inviteFor(liar, { code, notAfterMs: epochMs + 3_600_000 });
  }

  #operatorHead(victim: SimAgent): Signed | { sequence: number; hash: Uint8Array } | undefined {
    return victim.disk.heads().find(({ writer }) => writer === operatorKey);
  }

  #unseenHead(victim: SimAgent): { sequence: number; hash: Uint8Array } {
    const isOwn = ({ writer, stream }: { writer: string; stream: string }): boolean =>
      writer === liar.agentKey && stream === clusterStream;
    const sequence = victim.disk.heads().find(isOwn)?.sequence ?? 1;
    return { sequence, hash: this.#random.bytes(32) };
  }

  #ownCluster(): Signed | undefined {
    return this.#histories[0].findLast(({ stream }) => stream === clusterStream);
  }

  #historyFor(peer: PeerKey): readonly Signed[] {
    const index = this.#agents.findIndex(({ person }) => person.peerKey === peer);
    // Now and then it forgets to whom it has said what.
    const isOther = this.#random.chance(100);
    return this.#histories[(index % 2 === 0) === isOther ? 1 : 0];
  }

  #headsFor(history: readonly Signed[]): Signed[] {
    const heads = new Map<string, Signed>();
    for (const one of [...foundingWithLiar, ...history, this.#invented]) {
      if (one !== undefined) heads.set(`${one.writer}/${one.stream}`, one);
    }
    return [...heads.values()];
  }

  #answer(peer: PeerKey, bytes: Uint8Array): Uint8Array {
    const { body } = decodeRequest(bytes);
    const history = this.#historyFor(peer);
    if (body.case === 'hello') {
      const value = { genesis: genesisBytes, version: 'liar' };
      return encodeResponse({ body: { case: 'hello', value } });
    }
    if (body.case === 'heads') {
      const heads = this.#headsFor(history).toSorted(compareStreams).map(headMessage);
      return encodeResponse({ body: { case: 'heads', value: { heads } } });
    }
    if (body.case === 'statements') {
      const { stream, from } = body.value;
      const writer = idOf<AgentKey>(body.value.writer);
      const envelopes = this.#tell(history, { writer, stream, from: Number(from) });
      return encodeResponse({ body: { case: 'statements', value: { envelopes } } });
    }
    return encodeResponse({ body: { case: 'facts', value: { facts: [secretOf('fact')] } } });
  }

  /** Its own history if it has that, and an invention instead of it or behind it. */
  #tell(
    history: readonly Signed[],
    asked: { writer: AgentKey; stream: string; from: number },
  ): Uint8Array[] {
    const isAsked = ({ writer, stream }: Signed): boolean =>
      writer === asked.writer && stream === asked.stream;
    const told = [...foundingWithLiar, ...history].filter(
      (one) => isAsked(one) && one.sequence >= asked.from,
    );
    const invented = this.#invented;
    // An old statement once more, where a new one is expected.
    const again = this.#random.chance(100) ? foundingWithLiar.filter(isAsked) : [];
    const extra = invented !== undefined && isAsked(invented) ? [invented] : [];
    const answer = this.#random.chance(100) ? [strange] : [...told, ...again, ...extra];
    return answer.map(({ envelope }) => envelope);
  }
}

function streamNameOf(body: StatementBody): string {
  return body.kind === 'manifest' ? manifestStream(dataset) : clusterStream;
}

function datasetOf(): StatementBody {
  const sizes = { chunkMin: 16384, chunkAverage: 65536, chunkMax: 262144 };
  const wrappedIdentity = Uint8Array.of(1);
  return {
    kind: 'dataset',
    id: dataset,
    name: 'liar',
    ...sizes,
    keyEpoch: 1,
    recipient,
    wrappedIdentity,
  };
}

function receipt(): StatementBody {
  const manifest = idOf<never>(secretOf('no manifest'));
  return { kind: 'receipt', manifest, holdings: [], freeBytes: 1, shardCount: 1 };
}

function admission(): StatementBody {
  return admissionOf(newcomers[1] ?? founder, secretOf('no code'));
}
