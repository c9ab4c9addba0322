import { useState } from 'preact/hooks';
import type { PeerReport } from '../../../agent/api.ts';
import { formatSize, formatSpan } from '../../../base/quantity.ts';
import { type MapSite, siteMapOf, siteSize } from '../../model/map.ts';
import { counted, type Tone } from '../../model/words.ts';
import type { ScreenProps } from '../app.tsx';
import { Sign } from '../parts/sign.tsx';
import { numbers, Table } from '../parts/table.tsx';
import { useWidth } from '../parts/width.ts';

/** Who there is, where, and how this host reaches them. */
export function PeersScreen({ feed }: ScreenProps) {
  const peers = feed.topics.peers ?? [];
  const [site, setSite] = useState<string>();
  const shown = site === undefined ? peers : peers.filter((peer) => peer.site === site);
  return (
    <>
      <section class="card" aria-labelledby="map">
        <h2 id="map">Regions and sites, and the paths from here</h2>
        <PeerMap
          peers={peers}
          chosen={site}
          choose={(one) => setSite(one === site ? undefined : one)}
        />
        <ul class="legend">
          <li>
            <svg width="36" height="8" aria-hidden="true">
              <path class="path direct" d="M0 4H36" />
            </svg>{' '}
            direct
          </li>
          <li>
            <svg width="36" height="8" aria-hidden="true">
              <path class="path relayed" d="M0 4H36" />
            </svg>{' '}
            through a relay
          </li>
          <li>
            <svg width="36" height="8" aria-hidden="true">
              <path class="path none" d="M0 4H36" />
            </svg>{' '}
            cannot be reached
          </li>
        </ul>
      </section>
      <section class="card" aria-labelledby="peers">
        <h2 id="peers">
          {site === undefined
            ? counted(peers.length, 'peer')
            : `${counted(shown.length, 'peer')} at ${site}`}
        </h2>
        {site !== undefined && (
          <button type="button" onClick={() => setSite(undefined)}>
            Show all
          </button>
        )}
        <PeerTable peers={shown} nowMs={feed.timeMs} />
      </section>
    </>
  );
}

function PeerMap(props: {
  peers: readonly PeerReport[];
  chosen: string | undefined;
  choose: (site: string) => void;
}) {
  const [holder, width] = useWidth<HTMLDivElement>();
  const map = siteMapOf(props.peers, width);
  return (
    <div ref={holder} class="map">
      <svg
        width={map.width}
        height={map.height}
        viewBox={`0 0 ${map.width} ${map.height}`}
        role="group"
        aria-label="Map of the sites"
      >
        {map.regions.map(({ region, x, y, width: regionWidth, height }) => (
          <g key={region}>
            <rect class="region" {...{ x, y, height }} width={regionWidth} rx="14" />
            <text class="region-name" x={x + 16} y={y + 21}>
              {region}
            </text>
          </g>
        ))}
        {map.paths.map(({ site, kind, d }) => (
          <path key={site} class={`path ${kind}`} d={d} />
        ))}
        {[
          ...(map.here === undefined ? [] : [map.here]),
          ...map.regions.flatMap(({ sites }) => sites),
        ].map((site) => (
          <Site
            key={site.site}
            site={site}
            isChosen={site.site === props.chosen}
            choose={() => props.choose(site.site)}
          />
        ))}
      </svg>
    </div>
  );
}

function Site({
  site,
  isChosen,
  choose,
}: {
  site: MapSite;
  isChosen: boolean;
  choose: () => void;
}) {
  const up = site.hosts.filter(({ state }) => state !== 'unreachable').length;
  const words = `${site.site}: ${up} of ${counted(site.hosts.length, 'host')} reachable${site.isHere ? ', this host is here' : ''}`;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    choose();
  };
  return (
    <g
      class={`site ${site.tone}${isChosen ? ' chosen' : ''}`}
      transform={`translate(${site.x} ${site.y})`}
      role="button"
      tabIndex={0}
      aria-pressed={isChosen}
      aria-label={words}
      onClick={choose}
      onKeyDown={onKeyDown}
    >
      <rect width={siteSize.width} height={siteSize.height} rx="9" />
      <text x="12" y="20">
        {site.site.length > 15 ? `${site.site.slice(0, 14)}…` : site.site}
      </text>
      {site.isHere && (
        <text class="here" x={siteSize.width - 10} y="20">
          here
        </text>
      )}
      {site.hosts.slice(0, 10).map((host, i) => (
        <circle key={host.agentKey} class={host.state} cx={18 + i * 13} cy="35" r="4.5" />
      ))}
    </g>
  );
}

function PeerTable({ peers, nowMs }: { peers: readonly PeerReport[]; nowMs: number }) {
  return (
    <Table label="peers" columns={columns}>
      {peers.map((peer) => (
        <PeerRow key={peer.agentKey} peer={peer} nowMs={nowMs} />
      ))}
    </Table>
  );
}

const columns = [
  ...['Peer', 'State', 'Site', 'Path', 'Last heard', 'Has its shards'],
  ...numbers('Shards', 'Stored', 'Free', 'Lag'),
  'Roles',
];

const stateTones: Record<PeerReport['state'], Tone> = {
  self: 'good',
  connected: 'good',
  unreachable: 'bad',
};

function PeerRow({ peer, nowMs }: { peer: PeerReport; nowMs: number }) {
  const { state, lastSeenMs, possession } = peer;
  return (
    <tr>
      <th scope="row">{peer.name}</th>
      <td>
        <Sign tone={stateTones[state]} size={16} /> {state === 'self' ? 'this host' : state}
      </td>
      <td>
        {peer.site} <span class="quiet">{peer.region}</span>
      </td>
      <td>{peer.path === '-' ? '–' : peer.path}</td>
      <td>
        {state !== 'unreachable'
          ? 'now'
          : lastSeenMs === undefined
            ? 'never'
            : `${formatSpan(nowMs - lastSeenMs)} ago`}
      </td>
      <td>{possession === undefined ? '–' : possessionWords(possession.state)}</td>
      <td class="number">{peer.shards ?? '?'}</td>
      <td class="number">{peer.shardBytes === undefined ? '?' : formatSize(peer.shardBytes)}</td>
      <td class="number">{peer.freeBytes === undefined ? '?' : formatSize(peer.freeBytes)}</td>
      <td class="number">{peer.lag ?? '?'}</td>
      <td class="quiet wrap">{peer.roles.join(', ')}</td>
    </tr>
  );
}

function possessionWords(state: NonNullable<PeerReport['possession']>['state']): string {
  const words = {
    self: 'read back here',
    good: 'yes, asked at random',
    failing: 'NO',
    offline: 'cannot be asked',
    unknown: 'not asked yet',
  };
  return words[state];
}
