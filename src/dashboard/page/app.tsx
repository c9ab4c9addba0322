import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { standingCount } from '../model/alarms.ts';
import { overviewOf } from '../model/overview.ts';
import { counted } from '../model/words.ts';
import { type Feed, useFeed } from './feed.ts';
import { Command } from './parts/command.tsx';
import { Sign } from './parts/sign.tsx';
import { linkTo, useRoute } from './route.ts';
import { ActivityScreen } from './screens/activity.tsx';
import { DrillsScreen } from './screens/drills.tsx';
import { DurabilityScreen } from './screens/durability.tsx';
import { OverviewScreen } from './screens/overview.tsx';
import { PeersScreen } from './screens/peers.tsx';
import { PolicyScreen } from './screens/policy.tsx';
import { RestoreScreen } from './screens/restore.tsx';
import { RunbookScreen } from './screens/runbook.tsx';
import { SnapshotsScreen } from './screens/snapshots.tsx';

export type ScreenProps = { readonly feed: Feed; readonly rest: readonly string[] };

const screens: readonly { id: string; title: string; Screen: ComponentType<ScreenProps> }[] = [
  { id: '', title: 'Overview', Screen: OverviewScreen },
  { id: 'peers', title: 'Peers', Screen: PeersScreen },
  { id: 'durability', title: 'Durability', Screen: DurabilityScreen },
  { id: 'snapshots', title: 'Snapshots', Screen: SnapshotsScreen },
  { id: 'restore', title: 'Restore', Screen: RestoreScreen },
  { id: 'drills', title: 'Drills', Screen: DrillsScreen },
  { id: 'policy', title: 'Policy and approvals', Screen: PolicyScreen },
  { id: 'activity', title: 'Activity', Screen: ActivityScreen },
];

/** Reached by links from others. */
const unlisted: typeof screens = [{ id: 'runbook', title: 'Runbook', Screen: RunbookScreen }];

export function App() {
  const feed = useFeed();
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const { title, Screen } = screens.find(({ id }) => id === route.screen) ??
    unlisted.find(({ id }) => id === route.screen) ?? {
      title: 'Overview',
      Screen: OverviewScreen,
    };
  useEffect(() => {
    const cluster = feed.topics.status?.agent.clusterName;
    document.title = `${title} · ${cluster === undefined ? 'Holdfast' : `${cluster} · Holdfast`}`;
  }, [title, feed.topics.status?.agent.clusterName]);
  const isFirst = useRef(true);
  useEffect(() => {
    // A reader is told of the new screen; not at the start, where the browser does it.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [route.screen]);
  if (feed.link === 'locked') return <Locked />;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Top feed={feed} />
      <nav aria-label="Screens">
        {screens.map((screen) => (
          <a
            key={screen.id}
            href={linkTo(screen.id)}
            aria-current={screen.id === route.screen ? 'page' : undefined}
          >
            {screen.title}
          </a>
        ))}
      </nav>
      <main id="main" ref={main} tabIndex={-1}>
        <h1>{title}</h1>
        {feed.topics.status === undefined ? (
          <p class="quiet" role="status">
            Asking the agent …
          </p>
        ) : (
          <Screen feed={feed} rest={route.rest} />
        )}
      </main>
    </>
  );
}

function Top({ feed }: { feed: Feed }) {
  const { status, peers, proposals, alarm } = feed.topics;
  const alarms = standingCount(alarm);
  const tone =
    status === undefined
      ? 'idle'
      : overviewOf({ status, peers: peers ?? [], proposals: proposals ?? [], nowMs: feed.timeMs })
          .tone;
  return (
    <header>
      <a class="brand" href={linkTo('')}>
        <Sign tone={tone} size={18} />
        Holdfast
      </a>
      {status !== undefined && (
        <span class="where">
          {status.agent.clusterName}{' '}
          <span class="quiet">
            seen from {status.agent.name}, site {status.agent.site}
          </span>
        </span>
      )}
      {alarms > 0 && (
        <a class="alarms" href={linkTo('')}>
          <Sign tone="bad" size={16} /> {counted(alarms, 'alarm')}
        </a>
      )}
      <span class={`link ${feed.link}`} role="status">
        {feed.link === 'live'
          ? 'live'
          : feed.link === 'lost'
            ? 'the agent does not answer: what you see is old'
            : 'connecting'}
      </span>
    </header>
  );
}

function Locked() {
  return (
    <main class="locked">
      <h1>Holdfast</h1>
      <p>This page is for those who may read the agent's state directory. On its host, type:</p>
      <p>
        <Command text="holdfast dashboard" />
      </p>
      <p>and open the link that it prints.</p>
    </main>
  );
}
