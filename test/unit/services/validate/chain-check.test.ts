import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manifestStream } from '../../../../src/core/format/statement.ts';
import type { StatementHash } from '../../../../src/core/ids.ts';
import type { Anchor } from '../../../../src/core/protocol/control/anchor-book.ts';
import {
  ChainCheck,
  type ChainCheckOptions,
} from '../../../../src/services/validate/chain-check.ts';
import type { ValidationFinding } from '../../../../src/services/validate/validation.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  signSnapshot,
} from '../../../support/backup-site.ts';

let cluster: BackupCluster;
let findings: ValidationFinding[];

beforeEach(async () => {
  findings = [];
  cluster = await BackupCluster.open(3);
  for (let i = 0; i < 4; i++) await signSnapshot(site(0), []);
  await cluster.sync();
});

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

const stream = manifestStream(home.id);

/** Looks at what site 1 holds, with a ledger that may lie about it. */
async function check(change: Partial<ChainCheckOptions> & { read?: Read } = {}) {
  const { ledger, peers } = site(1);
  const { read, ...rest } = change;
  const held: ChainCheckOptions['ledger'] = {
    cluster: ledger.cluster,
    roster: ledger.roster,
    forks: () => ledger.forks(),
    head: (...of) => ledger.head(...of),
    heads: () => ledger.heads(),
    hashAt: (...of) => ledger.hashAt(...of),
    read: async (...of) => {
      const envelopes = await ledger.read(...of);
      return read === undefined || of[1] !== stream ? envelopes : read(envelopes, of[2]);
    },
  };
  const options = { ledger: held, peers, anchors: [], ...rest };
  return new ChainCheck(options).run(
    { dataset: undefined },
    {
      onFinding: (finding) => findings.push(finding),
      onStep: () => undefined,
      signal: new AbortController().signal,
    },
  );
}

type Read = (envelopes: Uint8Array[], from: number) => Uint8Array[];

function found(): string[] {
  return findings.map(({ check: name, detail }) => `${name}: ${detail}`);
}

function anchorAt(sequence: number, hash: string): Anchor {
  const { agentKey: writer } = site(0).agent;
  const head = { writer, dataset: home.id, sequence, hash: hash as StatementHash };
  return { head, index: 7 };
}

describe('histories', () => {
  test('that are whole give nothing to find, and the word of others is heard', async () => {
    const { statements, peersAsked, peersSilent } = await check();
    expect(found()).toEqual([]);
    expect(statements).toBeGreaterThanOrEqual(5);
    expect([peersAsked.length, peersSilent]).toEqual([2, []]);
  });

  test('with one bit changed are not signed by their writer', async () => {
    await check({
      read: (envelopes) =>
        envelopes.map((one, i) => {
          const bytes = one.slice();
          if (i === 2) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
          return bytes;
        }),
    });
    expect(found()).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      check: 'signatures',
      subject: 'dataset home of site-0-host',
    });
  });

  test('with an entry left out do not follow each other', async () => {
    await check({ read: (envelopes) => envelopes.filter((_, i) => i !== 1) });
    expect(found()).toContain('continuity: number 2: it is number 3');
  });

  test('in another order do not follow each other', async () => {
    await check({ read: (envelopes) => [...envelopes].reverse() });
    expect(found()[0]).toBe('continuity: number 1: it is number 4');
  });

  test('that end early are missed', async () => {
    await check({ read: (envelopes, from) => (from === 1 ? envelopes.slice(0, 3) : []) });
    expect(found()).toEqual(['continuity: number 4 cannot be read: it is gone']);
  });

  test('that differ from what the control log has fixed are another history', async () => {
    const [, , third] = site(1).ledger.manifests(home.id);
    await check({ anchors: [anchorAt(3, third?.hash ?? '')] });
    expect(found()).toEqual([]);
    await check({ anchors: [anchorAt(3, 'ab'.repeat(32)), anchorAt(9, 'ab'.repeat(32))] });
    expect(found()).toEqual([
      'continuity: number 3, which the control log has fixed, is another here',
      'continuity: number 9, which the control log has fixed, is not to be had',
    ]);
  });

  test('that another member shows otherwise are told with its name', async () => {
    const { writer, sequence } = { writer: site(0).agent.agentKey, sequence: 2n };
    const lie = { writer: Buffer.from(writer, 'hex'), stream, sequence, hash: new Uint8Array(32) };
    const peers = {
      reachable: () => site(1).peers.reachable(),
      ask: async () => ({ heads: [lie] }),
    } as unknown as ChainCheckOptions['peers'];
    await check({ peers });
    expect(found()).toContain('continuity: site-0-host shows another number 2: 00000000');
  });
});
