import { counter, gauge, type MetricFamily, type MetricSample } from '../../base/metric-text.ts';
import { secondMs } from '../../base/units.ts';
import type { Agent } from '../agent.ts';
import { coordinatorStatus } from '../coordinator-api.ts';

/** Whether decisions can be made, and who is there. */
export function controlMetrics(agent: Agent): MetricFamily[] {
  const { log } = agent.control;
  const { term, generation, commit, progress } = log.status();
  const { hasQuorum, quorum, voters, votersReachable } = coordinatorStatus(agent);
  const lags = progress.map(({ agent: key, matchIndex }) => ({
    labels: { peer: agent.nameOf(key) },
    value: Math.max(0, commit - matchIndex),
  }));
  return [
    gauge('holdfast_control_quorum', '1: decisions can be made, as seen here.', hasQuorum ? 1 : 0),
    gauge('holdfast_control_quorum_size', 'Voters that must agree.', quorum),
    gauge('holdfast_control_voters', 'Voters of the control log.', voters),
    gauge('holdfast_control_voters_reachable', 'Voters reachable from here.', votersReachable),
    gauge('holdfast_control_leading', '1: this host coordinates.', log.isLeading ? 1 : 0),
    gauge('holdfast_control_term', 'Term of the control log.', term),
    gauge('holdfast_control_generation', 'Generation of the control log.', generation),
    gauge('holdfast_control_commit_index', 'Newest committed entry known here.', commit),
    gauge('holdfast_control_applied_index', 'Newest entry applied here.', log.appliedIndex),
    counter(
      'holdfast_control_leader_changes_total',
      'Changes of the leader seen since this agent has started.',
      agent.tally.of('leader-change').length === 0 ? 0 : agent.tally.of('leader-change'),
    ),
    gauge(
      'holdfast_control_replication_lag_entries',
      'Entries that a member lacks, as its leader knows; at the leader only.',
      lags,
    ),
    ...peerMetrics(agent),
    ...siteMetrics(agent),
    gauge(
      'holdfast_restore_runs',
      'Restore plans by the state of their run.',
      countBy(
        log.state.plans.all().flatMap(({ runs }) => runs.at(-1)?.state ?? []),
        'state',
      ),
    ),
  ];
}

/** Counts each time that another leads, as seen here. Returns a function that stops it. */
export function countLeaders(agent: Agent): () => void {
  let { leader } = agent.control.log.status();
  return agent.control.log.onStatus((status) => {
    if (status.leader === undefined || status.leader === leader) return;
    leader = status.leader;
    agent.tally.add('leader-change', {});
  });
}

function peerMetrics(agent: Agent): MetricFamily[] {
  const facts = agent.peers.report().filter(({ state }) => state !== 'self');
  const of = (value: (peer: (typeof facts)[number]) => number | undefined): MetricSample[] =>
    facts.flatMap((peer) => {
      const known = value(peer);
      const { name, site } = peer.member;
      return known === undefined ? [] : [{ labels: { peer: name, site }, value: known }];
    });
  return [
    gauge(
      'holdfast_peer_up',
      '1: the peer is connected with this host.',
      of(({ state }) => (state === 'connected' ? 1 : 0)),
    ),
    gauge(
      'holdfast_peer_lag_statements',
      'Statements that the peer lacks of what is known here.',
      of(({ member }) => agent.sync.lag(member.peerKey)),
    ),
    gauge(
      'holdfast_peer_clock_skew_seconds',
      'How far the clock of the peer is ahead of the one here.',
      of(({ clockSkewMs }) => (clockSkewMs === undefined ? undefined : clockSkewMs / secondMs)),
    ),
    gauge(
      'holdfast_peer_free_bytes',
      'Room for shards that the peer has told of.',
      of(({ freeBytes }) => freeBytes),
    ),
  ];
}

function siteMetrics(agent: Agent): MetricFamily[] {
  const { sites } = agent.control.log.state;
  const known = agent.ledger.roster.sites();
  return [
    gauge(
      'holdfast_site_lost',
      '1: a majority of the voters has declared the site lost.',
      known.map(({ site }) => ({
        labels: { site },
        value: sites.of(site)?.isLost === true ? 1 : 0,
      })),
    ),
  ];
}

/** How many there are of each word. */
export function countBy(words: readonly string[], label: string): MetricSample[] {
  return [...Map.groupBy(words, (word) => word)].map(([word, { length }]) => ({
    labels: { [label]: word },
    value: length,
  }));
}
