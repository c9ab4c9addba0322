import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs, MiB } from '../../../../src/base/units.ts';
import { encodeCommand } from '../../../../src/core/format/control-command.ts';
import type {
  BodyOf,
  CommandHash,
  RestoreRequest,
} from '../../../../src/core/format/control-records.ts';
import {
  type DatasetId,
  idBytes,
  idOf,
  type PackId,
  type StatementHash,
} from '../../../../src/core/ids.ts';
import { encodePlan, planHash } from '../../../../src/core/policy/plan-text.ts';
import type { ReadPurpose } from '../../../../src/core/policy/read-purpose.ts';
import { commandHash } from '../../../../src/core/protocol/control/evidence.ts';
import { ReadRights } from '../../../../src/services/reads/read-rights.ts';
import { secretOf, startMs } from '../../../support/sample-cluster.ts';
import { bergen, commandId, turku } from '../../core/protocol/control/sample-control.ts';
import { OperatorsControl } from '../../core/protocol/control/sample-operators.ts';

const dataset = idOf<DatasetId>(secretOf('db').subarray(0, 16));
const snapshot = idOf<StatementHash>(secretOf('snapshot'));
const inside = idOf<PackId>(secretOf('inside'));
const outside = idOf<PackId>(secretOf('outside'));
const directory = idOf<PackId>(secretOf('directory'));
const packSize = 10 * MiB;

let log: OperatorsControl;
let rights: ReadRights;
let waited: number[];
let asked = 0;

beforeEach(() => {
  log = OperatorsControl.begin();
  waited = [];
  const entry = { k: 1, m: 1, size: packSize, type: 'data' };
  rights = new ReadRights({
    control: {
      state: log.state,
      applied: async (index) => {
        waited.push(index);
      },
    },
    ledger: {
      manifest: (hash: StatementHash) => (hash === snapshot ? {} : undefined),
      roster: { datasetOf: () => ({ ruleName: 'db' }) },
    } as never,
    view: {
      packs: async () => [inside, directory].map((pack) => ({ ...entry, pack })) as never,
    },
  });
});

type Read = {
  purpose?: ReadPurpose;
  pack?: PackId;
  type?: 'data' | 'metadata';
  leaf?: number;
  by?: typeof bergen | 'kit';
  roles?: string[];
};

async function right({
  purpose,
  pack = inside,
  type = 'data',
  leaf = 0,
  by = bergen,
  roles,
}: Read) {
  const member = {
    agentKey: by === 'kit' ? '' : by.agentKey,
    hasRole: (role: string) => (roles ?? ['storage']).includes(role),
  };
  const caller = { peer: 'p', access: by === 'kit' ? 'recovery' : 'member' };
  const whole = by === 'kit' ? caller : { ...caller, member };
  const head = { pack, type, dataset, writer: turku.agentKey };
  const request = { pack: idBytes(pack), index: 0, leaf, count: 1, withHead: false, purpose };
  return rights.of(whole as never, head as never, request);
}

function requested(change: Partial<RestoreRequest> = {}): CommandHash {
  const body: BodyOf<'restore-request'> = {
    kind: 'restore-request',
    agent: bergen.agentKey,
    dataset,
    writer: turku.agentKey,
    snapshot,
    name: 'db',
    path: '',
    recipient: `age1${'q'.repeat(58)}`,
    lastsMs: hourMs,
    reason: 'the disk has died',
    ...change,
  };
  const id = commandId(`request ${asked++}`);
  const { cluster, state } = log;
  const { generation } = state;
  const payload = encodeCommand({ id, timeMs: startMs, body });
  log.append(log.seal(body, [bergen.statementSecret], { id }));
  const hash = commandHash(payload, { cluster: cluster.id, generation });
  log.approve(hash, 'Ada');
  return hash;
}

function granted(change: Partial<RestoreRequest> = {}): CommandHash {
  const request = requested(change);
  const sealed = { kind: 'inline', bytes: Uint8Array.of(1) } as const;
  log.signed({ kind: 'restore-grant', request, sealed, packs: 2 }, 'Ada');
  return request;
}

function used(change: Partial<RestoreRequest> = {}): CommandHash {
  const request = granted(change);
  log.by(bergen, { kind: 'restore-use', request });
  return request;
}

const by = (request: CommandHash, kind: 'grant' | 'reseal' = 'grant') =>
  ({ kind, request, sinceIndex: 0 }) as const;

describe('without a purpose', () => {
  test('a member reads as much as the policy says', async () => {
    const found = await right({});
    expect(found).toMatchObject({ account: 'plain', bytesMax: 1024 * MiB, isSlowed: true });
  });

  test('a source reads its own directories, and no more than others of what it cannot open', async () => {
    const own = await right({ by: turku, type: 'metadata' });
    expect(own).toMatchObject({ account: 'own', bytesMax: undefined });
    expect((await right({ by: turku, type: 'data' })).account).toBe('plain');
  });

  test('the recovery kit reads everything', async () => {
    expect(await right({ by: 'kit' })).toMatchObject({ account: 'kit', bytesMax: undefined });
  });
});

describe('for repair', () => {
  test('who stores reads each pack a few times, and so much in a day', async () => {
    const found = await right({ purpose: { kind: 'repair' } });
    expect(found).toMatchObject({
      account: 'repair',
      timesPerShard: 4,
      isRoutine: true,
      bytesMax: 1024 * 1024 * MiB,
    });
  });

  test('who stores nothing reads no more than without a purpose', async () => {
    const found = await right({ purpose: { kind: 'repair' }, roles: ['source'] });
    expect(found).toMatchObject({ account: 'plain', objection: 'only who stores repairs' });
  });

  test('who has sealed a pack may have it as well, to code it anew', async () => {
    const found = await right({ purpose: { kind: 'repair' }, roles: ['source'], by: turku });
    expect(found).toMatchObject({ account: 'repair', bytesMax: expect.any(Number) });
  });
});

describe('under a grant', () => {
  test('its agent reads the packs of its snapshot while it uses it', async () => {
    const found = await right({ purpose: by(used()) });
    expect(found.account).toMatch(/^grant [0-9a-f]{8}$/);
    expect(found.bytesMax).toBe(4 * 2 * packSize + 64 * MiB);
  });

  test.each([
    ['of which nobody knows', {}, () => 'ab'.repeat(32) as CommandHash, 'no such grant'],
    ['that is not in use', {}, () => granted(), 'the grant is granted'],
    ['of another agent', { by: turku }, () => used(), 'of another agent'],
    ['of another snapshot', { pack: outside }, () => used(), 'not of the granted snapshot'],
    ['with a false name', {}, () => used({ name: 'other' }), 'not what this one is called'],
  ] as const)('%s nothing is read', async (_, read, make, objection) => {
    const found = await right({ purpose: by(make()), ...read });
    expect(found.account).toBe('plain');
    expect(found.objection).toContain(objection);
  });

  test('nothing is read once its time is over', async () => {
    const purpose = by(used());
    log.passTo(0);
    log.passTo(hourMs);
    expect((await right({ purpose })).objection).toBe('the grant is expired');
  });

  test('a host that is behind waits for the log', async () => {
    await right({ purpose: { ...by(used()), sinceIndex: log.index + 2 } });
    expect(waited).toEqual([log.index + 2]);
  });
});

describe('to reseal', () => {
  test('directories and the heads of packs are read, and no content', async () => {
    const purpose = by(requested(), 'reseal');
    expect((await right({ purpose, pack: directory, type: 'metadata', leaf: 90 })).account).toMatch(
      /^reseal/,
    );
    expect((await right({ purpose })).account).toMatch(/^reseal/);
    const content = await right({ purpose, leaf: 5 });
    expect(content).toMatchObject({ account: 'plain', objection: 'resealing needs no content' });
  });

  test('nothing is read before enough operators have approved, or after it is done', async () => {
    const purpose = by(granted(), 'reseal');
    expect((await right({ purpose })).objection).toBe('the request is granted');
  });
});

describe('for a plan', () => {
  function begun(): {
    kind: 'plan';
    plan: ReturnType<typeof planHash>;
    run: number;
    sinceIndex: number;
  } {
    const plan = log.plan();
    const [first] = plan.datasets;
    const own = { ...plan, datasets: [{ ...first, id: dataset, snapshot } as never] };
    const bytes = encodePlan(own);
    const hash = planHash(bytes);
    log.signed({ kind: 'plan', plan: bytes, hash }, 'Ada', 'Bea');
    const sealed = { kind: 'inline', bytes: Uint8Array.of(1) } as const;
    const name = { plan: hash, run: 1 };
    log.signed({ kind: 'grant', ...name, agent: bergen.agentKey, sealed, lastsMs: hourMs }, 'Ada');
    return { kind: 'plan', ...name, sinceIndex: 0 };
  }

  test('its worker reads what the plan restores, as long as the grant lasts', async () => {
    const purpose = begun();
    expect((await right({ purpose })).account).toBe(`plan ${purpose.plan.slice(0, 8)}`);
    expect((await right({ purpose, pack: outside })).objection).toContain('not of a snapshot');
    expect((await right({ purpose, by: turku })).objection).toContain('no keys were granted');
    log.passTo(0);
    log.passTo(hourMs);
    expect((await right({ purpose })).objection).toContain('has expired');
  });
});
