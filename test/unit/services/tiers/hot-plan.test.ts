import { beforeEach, describe, expect, test } from 'vitest';
import { encodePackSegments, type PackEntry } from '../../../../src/core/format/facts.ts';
import { type AgentKey, type FactHash, idOf, type PackId } from '../../../../src/core/ids.ts';
import type { Ledger } from '../../../../src/services/ledger.ts';
import type { HeardWord, Survey } from '../../../../src/services/repair/pack-survey.ts';
import type { Judgement } from '../../../../src/services/repair/repair-view.ts';
import {
  type HotPlan,
  type HotPlanOptions,
  planHot,
  removableExtras,
} from '../../../../src/services/tiers/hot-plan.ts';
import { packOf } from '../../../support/keeping-sample.ts';

const pack = packOf('a');
const entry: PackEntry = { pack, k: 3, m: 1, type: 'data', size: 3000 };
const [segment] = encodePackSegments([entry]);
const agentAt = (i: number): AgentKey => `${i}`.repeat(64) as AgentKey;
const self = agentAt(0);

/** Where each host is; the first is this one. */
let sites: string[];
let words: Map<AgentKey, HeardWord>;
let free: Map<AgentKey, number>;
let held: number[];
let extraMask: number;
let failing: AgentKey | undefined;
let leaving: AgentKey | undefined;
let isListKnown: boolean;

beforeEach(() => {
  sites = ['ams1', 'ams1', 'ber1', 'par1', 'osl1'];
  words = new Map();
  free = new Map();
  held = [];
  extraMask = 0;
  failing = undefined;
  leaving = undefined;
  isListKnown = true;
});

function say(i: number, mask: number, extra = 0): void {
  words.set(agentAt(i), { sequence: 1, mask, extraMask: extra });
}

function options(hotSites = ['ams1']): HotPlanOptions {
  const members = sites.map((site, i) => ({
    ...{ agentKey: agentAt(i), site, region: 'eu', name: `host-${i}` },
    hasRole: () => true,
  }));
  const roster = {
    members: () => members,
    member: (agent: AgentKey) => members.find(({ agentKey }) => agentKey === agent),
    datasetOf: () => undefined,
  };
  const record = { statement: { writer: self }, manifest: { dataset: 'd' } };
  const ledger = {
    roster,
    manifests: () => [record],
    packSegments: async () => [{ hash: idOf<FactHash>((segment as { hash: Uint8Array }).hash) }],
  } as unknown as Ledger;
  return {
    ...{ ledger, self },
    facts: { get: async () => (isListKnown ? segment?.bytes : undefined) },
    isDiscarded: () => false,
    ruleFor: () => ({ match: '*', tiers: { hot: { sites: hotSites } } }),
    sinceMs: () => 0,
    nowMs: () => 0,
    standing: {
      isLost: () => false,
      isLeaving: ({ agentKey }) => agentKey === leaving,
      isFailing: (agent) => agent === failing,
    },
    isPolicyKnown: () => true,
    store: { indexes: () => held, trash: () => [] },
    extras: { packs: () => (extraMask === 0 ? [] : [pack]), maskOf: () => extraMask },
  };
}

function survey(): Survey {
  const packs = new Map([[pack, { entry, record: {}, words }]]);
  return { packs, freeBytes: free, missingLists: 0 } as unknown as Survey;
}

const nothingWanted: HotPlan = { wanted: new Map(), underWay: new Set(), isCertain: true };

function removable(change: Partial<Judgement> = {}, plan = nothingWanted) {
  const judgement = {
    survey: survey(),
    tasks: [],
    awaited: new Set<PackId>(),
    lost: [],
    ...change,
  };
  return removableExtras(options(), plan, judgement as unknown as Judgement).get(pack) ?? [];
}

describe('the hosts of a site', () => {
  test('hold each pack at one of them: the others leave it to that one until it has it', async () => {
    const mine = await planHot(options(), survey());
    const chosen = mine.wanted.has(pack) ? 0 : 1;
    const other = 1 - chosen;
    free.set(agentAt(chosen), 0);
    free.set(agentAt(other), 1_000_000);
    const moved = await planHot(options(), survey());
    expect(moved.wanted.has(pack)).toBe(other === 0);
    expect(moved.underWay.has(pack)).toBe(other === 1);
    say(chosen, 0b111);
    const settled = await planHot(options(), survey());
    expect(settled.wanted.has(pack)).toBe(chosen === 0);
    expect(settled.underWay.size).toBe(0);
  });

  test('hold nothing that is hot elsewhere, and nothing while they are to leave', async () => {
    expect((await planHot(options(['ber1']), survey())).wanted.size).toBe(0);
    sites = ['ams1', 'ber1'];
    expect((await planHot(options(), survey())).wanted.size).toBe(1);
    leaving = self;
    expect(await planHot(options(), survey())).toMatchObject({ isCertain: false });
  });

  test('remove nothing while a list of packs is missing', async () => {
    isListKnown = false;
    expect(await planHot(options(), survey())).toMatchObject({ isCertain: false });
    held = [1];
    extraMask = 0b010;
    say(2, 0b010);
    expect(removable()).toEqual([1]);
    expect(removable({}, { ...nothingWanted, isCertain: false })).toEqual([]);
  });
});

describe('an extra shard can go', () => {
  beforeEach(() => {
    held = [0, 1, 2];
    extraMask = 0b011;
    say(2, 0b001);
    say(1, 0b010);
  });

  test('when another host keeps the same one, also one of the same site', () => {
    expect(removable()).toEqual([0, 1]);
  });

  test('not when that host has it for a copy of its own', () => {
    say(2, 0b111, 0b111);
    expect(removable()).toEqual([1]);
  });

  test('not when that host is to leave, or was caught without what it had signed for', () => {
    leaving = agentAt(2);
    failing = agentAt(1);
    expect(removable()).toEqual([]);
  });

  test('not while something of the pack is missing, on its way or lost', () => {
    expect(removable({ awaited: new Set([pack]) })).toEqual([]);
    expect(removable({ tasks: [{ entry }] as unknown as Judgement['tasks'] })).toEqual([]);
    expect(removable({ lost: [{ pack, had: 1, k: 3 }] })).toEqual([]);
  });

  test('not while the copy is wanted here, or another host of the site is still making it', () => {
    expect(removable({}, { ...nothingWanted, wanted: new Map([[pack, entry]]) })).toEqual([]);
    expect(removable({}, { ...nothingWanted, underWay: new Set([pack]) })).toEqual([]);
  });

  test('never one that this host was given', () => {
    say(3, 0b100);
    expect(removable()).toEqual([0, 1]);
  });
});
