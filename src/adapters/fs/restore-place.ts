import { lstatSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PlaceOwner, RestorePlaces } from '../../ports/restore-place.ts';
import type { RestoreTarget } from '../../ports/target.ts';
import { syncDirectory, writeDurable } from './atomic-write.ts';
import { errnoOf, systemError } from './system-error.ts';
import { openTarget } from './target.ts';

/** Names tried before what is undone for the how-manieth time is given up. */
const asideMax = 100;

/** Directories of this host; never one that holds, or lies in, one of `forbidden` (the agent's own state). */
export function restorePlaces(options: { readonly forbidden: readonly string[] }): RestorePlaces {
  return new FsRestorePlaces(options.forbidden.map((path) => resolve(path)));
}

class FsRestorePlaces implements RestorePlaces {
  readonly #forbidden: readonly string[];

  constructor(forbidden: readonly string[]) {
    this.#forbidden = forbidden;
  }

  async open(path: string, owner: PlaceOwner): Promise<RestoreTarget> {
    const place = this.#checked(path);
    const isOwn = (await ownerOf(place)) === owner.name;
    // Looks at what stands there, and creates the directory if nothing does.
    const target = await openTarget(utf8(place), { allowNonEmpty: isOwn });
    if (isOwn) return target;
    try {
      // Only now, and not before: a mark must never stand beside somebody else's files.
      await writeDurable(markOf(place), utf8(`${owner.name}\n`));
      return target;
    } catch (error) {
      await target[Symbol.asyncDispose]();
      throw error;
    }
  }

  async setAside(path: string, owner: PlaceOwner, suffix: string): Promise<string | undefined> {
    const place = this.#checked(path);
    if ((await ownerOf(place)) !== owner.name) return undefined;
    const aside = stands(place) ? freeName(`${place}.${suffix}`) : undefined;
    try {
      if (aside !== undefined) await rename(place, aside);
      await syncDirectory(dirname(place));
      // Last: without it, nobody would know whose directory it was to finish this.
      await rm(markOf(place), { force: true });
      await syncDirectory(dirname(place));
    } catch (error) {
      throw systemError(error, `set ${place} aside`);
    }
    return aside;
  }

  #checked(path: string): string {
    const place = resolve(path);
    if (place === '/') throw unsafe(place, 'it is the root of this system');
    for (const own of this.#forbidden) {
      if (!isWithin(place, own) && !isWithin(own, place)) continue;
      throw unsafe(place, 'the state of this agent lies there');
    }
    return place;
  }
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || (way !== '..' && !way.startsWith('../'));
}

/** Beside the directory, so that what is restored is exactly what was backed up. */
function markOf(place: string): string {
  return join(dirname(place), `.${basename(place)}.holdfast`);
}

async function ownerOf(place: string): Promise<string | undefined> {
  try {
    return fromUtf8(Uint8Array.from(await readFile(markOf(place))))?.trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw systemError(error, `read ${markOf(place)}`);
  }
}

/** Also for a link that leads nowhere. */
function stands(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function freeName(path: string): string {
  for (let i = 1; i <= asideMax; i++) {
    const name = i === 1 ? path : `${path}-${i}`;
    if (!stands(name)) return name;
  }
  throw new HoldfastError('io-error', `${path} and ${asideMax} names like it are taken`, {
    next: 'move some of them away',
  });
}

function unsafe(place: string, reason: string): HoldfastError {
  return new HoldfastError('unsafe-target', `cannot restore into ${place}: ${reason}`, {
    next: 'name another directory in the plan',
    details: { target: place },
  });
}
