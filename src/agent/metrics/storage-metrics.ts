import { counter, gauge, type MetricFamily, type MetricSample } from '../../base/metric-text.ts';
import { secondMs } from '../../base/units.ts';
import type { Agent } from '../agent.ts';

/** What is stored here, and whether it is whole. */
export function storageMetrics(agent: Agent): MetricFamily[] {
  const { store, upkeep } = agent;
  const usage = store?.usage();
  const scrub = upkeep.scrub?.state;
  const trash = store?.trash();
  return [
    gauge('holdfast_stored_shards', 'Shards that this host holds for the cluster.', usage?.shards),
    gauge('holdfast_stored_bytes', 'Size of the shards held here.', usage?.bytes),
    gauge('holdfast_storage_free_bytes', 'Room left for shards here.', usage?.freeBytes),
    gauge('holdfast_trash_shards', 'Shards that are to be deleted here.', trash?.length),
    gauge('holdfast_scrub_round', 'Round of reading everything back.', scrub?.round),
    gauge('holdfast_scrub_progress_ratio', 'Part of the round that is done.', scrub?.share),
    gauge(
      'holdfast_scrub_oldest_seconds',
      'No shard here has gone unread for longer.',
      scrub?.oldestMs === undefined ? undefined : scrub.oldestMs / secondMs,
    ),
    counter('holdfast_scrub_damaged_shards_total', 'Shards found damaged here.', scrub?.damaged),
    ...hotMetrics(agent),
    ...repairMetrics(agent),
    ...challengeMetrics(agent),
    ...queueMetrics(agent),
  ];
}

/** Of full copies at this host's site. */
function hotMetrics({ upkeep }: Agent): MetricFamily[] {
  const hot = upkeep.hot.keeper?.state;
  return [
    gauge('holdfast_hot_waiting_packs', 'Packs to be copied here in full.', hot?.waiting),
    counter('holdfast_hot_shards_made_total', 'Shards made here for full copies.', hot?.made),
    counter(
      'holdfast_hot_shards_removed_total',
      'Shards of full copies that are wanted no more, removed here.',
      hot?.removed,
    ),
  ];
}

/** From the last look: to judge all packs for each scrape would cost more than it tells. */
function repairMetrics({ upkeep }: Agent): MetricFamily[] {
  const { judgement, order, made, failed, bytesRead } = upkeep.repairs.state;
  const total: MetricFamily[] = [
    counter('holdfast_repair_shards_made_total', 'Shards that this host has made anew.', made),
    counter('holdfast_repair_failures_total', 'Repairs that have failed here.', failed),
    counter('holdfast_repair_read_bytes_total', 'Bytes read from others for repair.', bytesRead),
  ];
  if (judgement === undefined) return total;
  const bySpare = Map.groupBy(judgement.tasks, ({ spare }) => String(spare));
  const shards = [...bySpare].map(([spare, { length }]) => ({ labels: { spare }, value: length }));
  const short = new Set(judgement.tasks.map(({ entry }) => entry.pack)).size;
  const { lost, awaited, survey } = judgement;
  const packs = { short, lost: lost.length, awaited: awaited.size };
  const whole = Math.max(0, survey.packs.size - short - lost.length - awaited.size);
  return [
    ...total,
    gauge(
      'holdfast_packs',
      'Packs that snapshots need, by what is left of them.',
      Object.entries({ whole, ...packs }).map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge(
      'holdfast_missing_shards',
      'Shards to be made anew, by how many more sites may fail until then.',
      shards.length === 0 ? 0 : shards,
    ),
    gauge('holdfast_repair_due_shards', 'Shards that are to be made now.', order.due.length),
    gauge('holdfast_repair_braked', '1: only urgent repairs run.', order.isBraked ? 1 : 0),
  ];
}

function challengeMetrics(agent: Agent): MetricFamily[] {
  const self = agent.member().agentKey;
  const others = agent.ledger.roster
    .members()
    .filter((member) => member.agentKey !== self && member.hasRole('storage'));
  const answers: MetricSample[] = [];
  const failing: MetricSample[] = [];
  for (const member of others) {
    const { passed, failed, silent, state } = agent.upkeep.challenger.report(member);
    const labels = { peer: member.name, site: member.site };
    for (const [answer, value] of Object.entries({ passed, failed, silent })) {
      answers.push({ labels: { ...labels, answer }, value });
    }
    failing.push({ labels, value: state === 'failing' ? 1 : 0 });
  }
  return [
    counter('holdfast_audit_challenges_total', 'Proofs of possession asked for here.', answers),
    gauge('holdfast_peer_failing', '1: it lacks what it has signed for.', failing),
  ];
}

function queueMetrics(agent: Agent): MetricFamily[] {
  const { outbox } = agent;
  return [
    gauge(
      'holdfast_outbox_shards',
      'Own shards that wait for a peer that has not taken them.',
      outbox.agents().map((key) => ({
        labels: { peer: agent.nameOf(key) },
        value: outbox.parcels(key).length,
      })),
    ),
    gauge('holdfast_outbox_bytes', 'Size of what waits for peers.', outbox.sizeBytes),
  ];
}
