import { useSyncExternalStore } from 'preact/compat';
import type { AlertReport } from '../../agent/alert-types.ts';
import type { PeerReport, StatusReport } from '../../agent/api.ts';
import type { CoordinatorReport } from '../../agent/coordinator-types.ts';
import type { IncarnationReport } from '../../agent/dataset-types.ts';
import type { DrillEntry } from '../../agent/drill-types.ts';
import type { RestoreGrantReport } from '../../agent/grant-types.ts';
import type { PlanReport } from '../../agent/plan-types.ts';
import type { SuspectReport } from '../../agent/tripwire-types.ts';
import type { ProposalReport } from '../../agent/trust-types.ts';
import type { RepairReport } from '../../agent/upkeep-types.ts';
import { call, eventsAddress, Refused } from './api.ts';

export type Topics = {
  status: StatusReport;
  peers: PeerReport[];
  coordinator: CoordinatorReport;
  plans: PlanReport[];
  restores: RestoreGrantReport[];
  drills: DrillEntry[];
  proposals: ProposalReport[];
  suspects: SuspectReport[];
  alarm: AlertReport[];
  datasets: IncarnationReport[];
  repairs: RepairReport;
};

export type Link = 'opening' | 'live' | 'lost' | 'locked';

export type Feed = {
  readonly link: Link;
  readonly topics: Partial<Topics>;
  /** When the agent was last heard, by its clock. */
  readonly timeMs: number;
};

const names: readonly (keyof Topics)[] = [
  'status',
  'peers',
  'coordinator',
  'plans',
  'restores',
  'drills',
  'proposals',
  'suspects',
  'alarm',
  'datasets',
  'repairs',
];

let feed: Feed = { link: 'opening', topics: {}, timeMs: Date.now() };
const watchers = new Set<() => void>();

function change(part: Partial<Feed>): void {
  feed = { ...feed, ...part };
  for (const watcher of watchers) watcher();
}

/** Follows what the agent tells until the page is left. */
export function followFeed(): void {
  const source = new EventSource(eventsAddress());
  for (const name of names) {
    source.addEventListener(name, ({ data }: MessageEvent<string>) => {
      change({ topics: { ...feed.topics, [name]: JSON.parse(data) as unknown } });
    });
  }
  source.addEventListener('asked', ({ data }: MessageEvent<string>) => {
    change({ link: 'live', timeMs: (JSON.parse(data) as { timeMs: number }).timeMs });
  });
  source.onerror = () => {
    change({ link: 'lost' });
    if (source.readyState !== EventSource.CLOSED) return;
    // A browser does not say why: asked once more by hand, it does.
    void again();
  };
}

async function again(): Promise<void> {
  try {
    await call('GET', 'v1/identity');
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      change({ link: 'locked' });
      return;
    }
  }
  setTimeout(followFeed, 2000);
}

export function lock(): void {
  change({ link: 'locked' });
}

/** What is known now; the component is drawn again when it changes. */
export function useFeed(): Feed {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => feed,
  );
}
