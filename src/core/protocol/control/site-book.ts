import type { MessageInitShape } from '@bufbuild/protobuf';
import { wordFrom } from '../../format/control-field.ts';
import type { BodyOf } from '../../format/control-records.ts';
import { idField } from '../../format/field.ts';
import { type SiteImage, SiteImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import type { ControlMember, MemberBook } from './member-book.ts';
import { imageOnce } from './record-image.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

const reportStates = ['lost', 'seen'] as const;

/** One agent's newest word on a site. */
export type SiteReport = {
  readonly agent: AgentKey;
  readonly state: (typeof reportStates)[number];
  readonly index: number;
  readonly timeMs: number;
};

/** What is said of a site. */
export type SiteRecord = {
  readonly site: string;
  readonly isLost: boolean;
  /** The newest of each agent since the site was last found to be there; sorted by agent. */
  readonly reports: readonly SiteReport[];
};

/** Which sites are lost: one voter's silence is a broken line, a majority's is a lost site. */
export class SiteBook {
  readonly #sites = new Map<string, SiteRecord>();

  of(site: string): SiteRecord | undefined {
    return this.#sites.get(site);
  }

  /** Sorted by name. */
  all(): readonly SiteRecord[] {
    return [...this.#sites.values()].sort((a, b) => (a.site < b.site ? -1 : 1));
  }

  /** Names, sorted. */
  lost(): readonly string[] {
    return this.all()
      .filter(({ isLost }) => isLost)
      .map(({ site }) => site);
  }

  /** `voters`: those of the current configuration. @throws HoldfastError not-permitted */
  check(
    body: BodyOf<'site-report'>,
    reporter: ControlMember,
    context: {
      readonly place: CommandPlace;
      readonly members: MemberBook;
      readonly voters: readonly AgentKey[];
    },
  ): Change {
    const { site, state } = body;
    const { members, place } = context;
    if (!members.all().some((member) => member.site === site)) {
      throw refusal(`there is no site "${site}"`);
    }
    const others = context.voters.filter((voter) => members.of(voter)?.site !== site);
    const isOwn = reporter.site === site;
    if (isOwn && state === 'lost') throw refusal('an agent cannot miss its own site');
    if (!isOwn && !others.includes(reporter.agent)) {
      throw refusal(`"${reporter.name}" is neither a voter nor at this site`);
    }
    const known = this.#sites.get(site) ?? { site, isLost: false, reports: [] };
    if (known.reports.some((report) => report.agent === reporter.agent && report.state === state)) {
      throw refusal(`"${reporter.name}" has said so already`);
    }
    if (!this.#sites.has(site) && this.#sites.size >= controlBounds.sitesMax) {
      throw refusal('too many sites were reported');
    }
    const { index, timeMs } = place;
    const report = { agent: reporter.agent, state, index, timeMs };
    const next = isOwn ? foundAgain(known, report) : weigh(known, report, others);
    return () => this.#sites.set(site, next);
  }

  image(): MessageInitShape<typeof SiteImageSchema>[] {
    return this.all().map(siteImage);
  }

  load(images: readonly SiteImage[]): void {
    this.#sites.clear();
    for (const { site, isLost, reports } of images) {
      const loaded = reports.map((report) => ({
        agent: idField<AgentKey>(report.agent, 32, 'agent'),
        state: wordFrom(report.state, reportStates, 'state of a site'),
        index: Number(report.index),
        timeMs: Number(report.timeMs),
      }));
      this.#sites.set(site, { site, isLost, reports: loaded });
    }
  }
}

/** lost -> there, when one of its own agents speaks. What was said before counts no more. */
function foundAgain(known: SiteRecord, report: SiteReport): SiteRecord {
  return { ...known, isLost: false, reports: [report] };
}

/** there -> lost, and back, when a majority of the other sites' voters says so. */
function weigh(known: SiteRecord, report: SiteReport, voters: readonly AgentKey[]): SiteRecord {
  const rest = known.reports.filter(({ agent }) => agent !== report.agent);
  const reports = [...rest, report].sort((a, b) => (a.agent < b.agent ? -1 : 1));
  const count = (wanted: SiteReport['state']): number =>
    reports.filter(({ agent, state }) => state === wanted && voters.includes(agent)).length;
  const majority = Math.floor(voters.length / 2) + 1;
  if (count('lost') >= majority) return { ...known, isLost: true, reports };
  if (count('seen') >= majority) return { ...known, isLost: false, reports };
  return { ...known, reports };
}

const siteImage = imageOnce(SiteImageSchema, ({ site, isLost, reports }: SiteRecord) => ({
  site,
  isLost,
  reports: reports.map(({ agent, state, index, timeMs }) => ({
    agent: idBytes(agent),
    state,
    index: BigInt(index),
    timeMs: BigInt(timeMs),
  })),
}));
