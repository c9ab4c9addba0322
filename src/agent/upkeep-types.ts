import type { RepairPart } from '../core/policy/repair-part.ts';

/** The part of the agent's API that is about data that mends itself. */
export interface UpkeepApi {
  /** What is missing where, and who makes it. `begin`: what of its own part this host begins with at once. */
  repairs(request: { begin: RepairPart }): Promise<RepairReport>;
  /** Who has been asked to leave, and what still depends on them. */
  drains(): Promise<DrainReport[]>;
  /** What losing these sites, maybe none, would do; changes nothing. @throws not-found */
  forecastLoss(request: { sites: string[] }): Promise<LossReport>;
  /** How far reading back has come. `isNow`: everything is read now. @throws not-permitted (it stores nothing) */
  scrub(request: { isNow: boolean }): Promise<ScrubReport>;
}

/** A host or a site that is to hold nothing any more. */
export type DrainReport = {
  name: string;
  kind: 'host' | 'site';
  hosts: string[];
  /** Packs of which it holds something, or has still to deliver something. */
  packs: number;
  /** Those of which something is still to come to, or to be made at, others. */
  waiting: number;
  /** Those of the waiting that it has written itself: what is missing may lie in its outbox alone. */
  undelivered: number;
  /** Newest snapshots that would outlive less without it: others hold what it has, and have not signed for it there. */
  unsigned: number;
  /** Backups, and sources that may begin one, that may still come to need it: of snapshots that nobody has signed yet. */
  underWay: number;
  /** Names of sources that could not be asked for that. */
  unasked: string[];
};

/** What would be if sites were lost, as this host knows things. */
export type LossReport = {
  /** Sites that would be lost, sorted. */
  sites: string[];
  hosts: string[];
  /** Storage sites that would be left. */
  sitesLeft: string[];
  /** Hosts at these that cannot be reached now: they count as there. */
  silentHosts: string[];
  voters: {
    count: number;
    left: number;
    /** Without a majority nobody is declared lost, and nothing is made anew by itself. */
    hasQuorum: boolean;
  };
  datasets: DatasetLossReport[];
  repair: {
    shards: number;
    /** Of these, no site that is left could take them. */
    stuckShards: number;
    urgentShards: number;
    /** Of the shards that would be made. */
    writtenBytes: number;
    /** What hosts read from each other for that. */
    readBytes: number;
    /** At `bytesPerSecond` for each host that makes shards, all at once; the network may be slower. */
    seconds: number;
    /** `repair.bandwidth` of this host: that of others is not known. */
    bytesPerSecond: number;
    /** Silence after which a site counts as lost; repairs that are not urgent wait a day more. */
    lostAfterMs: number;
  };
};

export type DatasetLossReport = {
  name: string;
  id: string;
  source: string;
  /** The host that backs it up would be gone: the data would have to be restored elsewhere. */
  isSourceLost: boolean;
  snapshots: number;
  /** That could not be restored. */
  lostSnapshots: number;
  packs: number;
  lostPacks: number;
  /** How many more sites may fail before repair; undefined: everything would be lost, or nothing is there. */
  sitesMayFail?: number;
  shards: number;
  writtenBytes: number;
  readBytes: number;
  words: string;
  /** The newest snapshot, by those who can be reached now and are at none of these sites; undefined: there is none. */
  newest?: {
    snapshot: string;
    isRestorable: boolean;
    /** Negative: not restorable. */
    sitesMayFail: number;
    packs: number;
    lostPacks: number;
    /** What each site has signed for, whether it answers or not. */
    holders: { site: string; packs: number }[];
  };
};

/** Of what this host stores. */
export type ScrubReport = {
  /** From 1. */
  round: number;
  /** Of this round: 0 to 1. */
  share: number;
  shards: number;
  bytes: number;
  /** Shards that were found damaged, since this host was set up. */
  damaged: number;
  storedShards: number;
  storedBytes: number;
  /** No shard here has gone unread for longer; undefined: there is none. */
  oldestMs?: number;
  isHurried: boolean;
};

/** What questions to a storage peer have shown: whether it has what it has signed for. */
export type PossessionReport = {
  state: 'self' | 'good' | 'failing' | 'offline' | 'unknown';
  passed: number;
  failed: number;
  silent: number;
  /** Shards (pack/index) that it has signed for and does not have, or does not show. */
  caught: string[];
  /** Shards (pack/index) of which it has shown nothing yet, nor denied them. */
  unanswered: string[];
};

export type RepairReport = {
  /** All shards that packs lack, those to be made first at the beginning; bounded, see `taskCount`. */
  tasks: RepairTaskReport[];
  /** Of shards. */
  taskCount: number;
  dueCount: number;
  /** Of those that are due: nobody can make them now. */
  stuckCount: number;
  /** Packs of which too few shards are left. */
  lost: { pack: string; had: number; needed: number }[];
  /** Packs of which shards may be on their way from their source. */
  awaitedPacks: number;
  /** Hosts that cannot be reached now: what they hold counts as there until their sites have been silent for long. */
  silentHosts: string[];
  lostAfterMs: number;
  packs: number;
  /** So much has gone at once that only what is urgent is repaired. */
  isBraked: boolean;
  /** Of this host, since its agent has started. */
  made: number;
  failed: number;
  bytesRead: number;
  /** What this host makes now. */
  current?: string;
  wrong: WrongPackReport[];
};

export type RepairTaskReport = {
  pack: string;
  index: number;
  type: 'data' | 'metadata';
  bytes: number;
  /** More sites that may fail; -1: what stays does not suffice. */
  spare: number;
  isUrgent: boolean;
  /** Now, or later: see `docs/durability.md`. */
  isDue: boolean;
  reason: string;
  /** Name of the host whose turn it is; undefined: nobody that is there has room. */
  by?: string;
};

/** Wrongly encoded by its source, as this host has found: its k shards do not make the others. */
export type WrongPackReport = {
  pack: string;
  writer: string;
  source: string;
  from: number[];
  index: number;
  root: string;
};
