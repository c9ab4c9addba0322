import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DiskProbe, probeDisk } from '../../adapters/fs/disk-probe.ts';
import { openObjectDirectory } from '../../adapters/fs/object-directory.ts';
import { systemClock, systemEntropy } from '../../adapters/system/runtime.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { timesOf } from '../../services/tiers/check-times.ts';
import { checkStore, type Finding } from '../../services/tiers/store-check.ts';
import type { Config } from '../config.ts';
import { parseStoreAddress } from '../store-address.ts';
import type { StoreCheckReport, StoreCheckRequest, StoreMeasured } from '../store-check-types.ts';
import { openObjectStore } from './object-store.ts';

/** Syncs that are faster are not known of any device without a cache that outlives the power. */
const syncMinMs = 0.03;

type Target = { readonly objects: ObjectStore; readonly directory: string | undefined };

/** Measures a store, and what this host uses now, in the same way. @throws HoldfastError */
export async function checkTarget(
  request: StoreCheckRequest,
  config: Config,
): Promise<StoreCheckReport> {
  const { store: text, endpoint, region, pathStyle } = request;
  const given = {
    ...config.cold,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(pathStyle === undefined ? {} : { pathStyle }),
  };
  const store = await measure(await opened(text, given), request);
  const against = await measureAgainst(request, config);
  const isFit = store.findings.every(({ state }) => state !== 'bad');
  return { store, ...(against === undefined ? {} : { against }), isFit };
}

async function opened(text: string, options: Config['cold']): Promise<Target> {
  const address = parseStoreAddress(text);
  const directory = address?.kind === 'directory' ? address.path : undefined;
  return { objects: await openObjectStore(text, options), directory };
}

/** What was asked for; else the cold store of this host; else its own disk; nothing where no agent has a place yet. */
async function measureAgainst(
  request: StoreCheckRequest,
  config: Config,
): Promise<StoreMeasured | undefined> {
  const { store, stateDir, against = config.cold.store } = request;
  if (against !== undefined && against !== store) {
    return measure(await opened(against, config.cold), request);
  }
  if (!existsSync(join(stateDir, 'shards'))) return undefined;
  const directory = await mkdtemp(join(stateDir, 'check-'));
  try {
    const objects = openObjectDirectory(directory);
    return { ...(await measure({ objects, directory }, request)), name: join(stateDir, 'shards') };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(
  { objects, directory }: Target,
  { count, size, signal, onStep }: StoreCheckRequest,
): Promise<StoreMeasured> {
  await using _ = objects;
  const { name } = objects;
  const disk = directory === undefined ? undefined : await probeDisk(directory);
  const tools = { clock: systemClock(), entropy: systemEntropy() };
  const step = (text: string): void => onStep(`${name}: ${text}`);
  try {
    const check = await checkStore({ objects, size, count, ...tools, onStep: step }, { signal });
    if (disk === undefined) return check;
    const { fileSystem, freeBytes, syncMs } = disk;
    const facts = { fileSystem, freeBytes, syncs: timesOf(syncMs) };
    return { ...check, disk: facts, findings: [...check.findings, ...diskFindings(disk)] };
  } finally {
    if (directory !== undefined) await removeFolders(join(directory, 'check'));
  }
}

function diskFindings({ fileSystem, isVolatile, isRemote, syncMs }: DiskProbe): Finding[] {
  const check = 'what it has taken survives a power failure';
  const { p50Ms } = timesOf(syncMs);
  const took = `a sync takes ${p50Ms.toFixed(2)} ms on ${fileSystem}`;
  if (isVolatile) return [{ check, state: 'bad', detail: `${fileSystem} is memory` }];
  if (isRemote) {
    const detail = `${took}: whether the server keeps what it has taken is for its settings to say`;
    return [{ check, state: 'absent', detail }];
  }
  if (p50Ms >= syncMinMs) return [{ check, state: 'good', detail: took }];
  const detail = `${took}: hardly a device is so quick; ask whether its cache outlives the power`;
  return [{ check, state: 'absent', detail }];
}

/** The folders of the objects that were removed; whatever else is there stays. */
async function removeFolders(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  for (const name of names) await rmdir(join(path, name)).catch(() => undefined);
  await rmdir(path).catch(() => undefined);
}
