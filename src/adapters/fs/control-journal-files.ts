import { link, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { syncDirectory, temporarySuffix, writeDurable } from './atomic-write.ts';
import { isFile } from './file-access.ts';
import { errnoOf } from './system-error.ts';

/** Damaged segments kept as evidence; more would say nothing new. */
const evidenceCountMax = 8;
const evidenceSuffix = '.damaged';
const segmentPattern = /^journal-(\d{16})$/;
const markerText = `A control journal was created beside this file. Where this file is and the journal is not, state was
lost: the agent must join again under a new identity. Do not delete this file.
`;

/** Names below a journal's directory. The highest segment counts; lower ones are left from a crash. */
export type JournalFiles = {
  /** Ascending. */
  readonly segments: readonly string[];
  readonly temporaries: readonly string[];
  readonly evidenceCount: number;
  /** True when a journal was created here once, whatever is left of it. */
  readonly wasCreated: boolean;
};

/** What lies in the directory; nothing when it is not there. */
export async function listJournal(directory: string): Promise<JournalFiles> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const segments = names.filter((name) => segmentPattern.test(name)).sort();
  const evidenceCount = names.filter((name) => name.endsWith(evidenceSuffix)).length;
  return {
    segments,
    temporaries: names.filter((name) => name.endsWith(temporarySuffix)),
    evidenceCount,
    wasCreated: segments.length + evidenceCount > 0 || (await isFile(markerPath(directory))),
  };
}

/** The name of the segment that begins with the record of this sequence. */
export function segmentName(sequence: number): string {
  return `journal-${String(sequence).padStart(16, '0')}`;
}

/** The sequence of the record that a segment of this name begins with. */
export function firstSequenceOf(name: string): number {
  return Number(segmentPattern.exec(name)?.[1]);
}

/** Gives a complete and synced file its name; durable when resolved. */
export async function publishSegment(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  await syncDirectory(join(path, '..'));
}

/** Says durably that a journal exists here, outside its directory: who loses that does not lose this. */
export async function writeMarker(directory: string): Promise<void> {
  if (await isFile(markerPath(directory))) return;
  await writeDurable(markerPath(directory), utf8(markerText));
}

/** Gives a damaged segment a second name, which outlasts the first. Later openings do not look at it. */
export async function keepEvidence(directory: string, name: string, count: number): Promise<void> {
  const aside = join(directory, `${name}${evidenceSuffix}`);
  if (count >= evidenceCountMax || (await isFile(aside))) return;
  await link(join(directory, name), aside);
  await syncDirectory(directory);
}

/** Not durable when resolved: what comes back after a crash is removed by the next opening. */
export async function removeFiles(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(directory, name), { force: true });
}

/** The error of a journal that must not be used: starting from less would break promises made to others. */
export function journalLost(directory: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('corrupt', `the control journal in ${directory} is lost: ${reason}`, {
    next: 'remove this agent from the cluster, and let it join again under a new identity',
    details: { path: directory },
    ...(cause === undefined ? {} : { cause }),
  });
}

function markerPath(directory: string): string {
  return `${directory}.created`;
}
