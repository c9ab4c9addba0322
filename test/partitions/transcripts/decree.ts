import { join } from 'node:path';
import { until } from '../../support/cluster.ts';
import { settledLeader } from '../failover-time.ts';
import type { Fleet } from '../fleet.ts';
import { fleetHosts } from '../hosts.ts';
import type { Transcript } from '../transcript-text.ts';
import { answered } from '../watch.ts';

/** Three of five voters are gone: operators decree who votes from now on, and what comes back is fenced. */
export async function decree(fleet: Fleet, transcript: Transcript): Promise<void> {
  await fleet.form(fleetHosts, { surviveSites: 2 });
  await settledLeader(fleet);
  const file = join(fleet.root, 'decree.json');
  transcript.title('A majority is lost for good: a decree, and the return of the old voters');
  transcript.say(
    'Five sites vote. A *decree* ends one life of their control log, a *generation*, and begins the next with other voters; it is for the day when a majority of them is gone for ever. Before anything happens the operators have set a short notice, so that this transcript ends; thirty minutes are the default, long enough for somebody to object. Made again by `node test/partitions/transcript.ts decree`.',
  );
  await transcript.run('ams1', ['policy', 'set', '--decree-notice', '20s']);
  await transcript.run('ams1', ['coordinator', 'status'], { says: /a quorum agrees/ });
  transcript.section('Three of five are lost');
  for (const name of ['nyc1', 'sfo1', 'sin1']) await fleet.kill(name);
  transcript.event('nyc1, sfo1 and sin1 are gone');
  await until('ams1 sees them gone', 60_000, async () => {
    const { votersReachable } = await fleet.api('ams1').coordinator();
    return votersReachable === 2;
  });
  await transcript.run('ams1', ['coordinator', 'status'], { code: 20, says: /no quorum/ });
  await transcript.run('ams1', ['layout', 'apply', '--version', '2', '--auto'], { code: 20 });
  transcript.section('The decree');
  const reason = 'fire at nyc1, sfo1 and sin1: their disks are gone';
  const voters = ['--voters', 'ams1,fra1', '--reason', reason];
  await transcript.run('ams1', ['coordinator', 'decree', 'prepare', ...voters, '-o', file]);
  await transcript.run('ams1', ['coordinator', 'decree', 'sign', file, '--yes']);
  await transcript.run('ams1', ['coordinator', 'decree', 'apply', file, '--yes']);
  await until('fra1 has heard of it', 15_000, async () => {
    const { pending } = await fleet.api('fra1').decree();
    return pending !== undefined;
  });
  await transcript.run('fra1', ['coordinator', 'decree', 'status'], { says: /Generation 2/ });
  await until('generation 2 has a leader', 90_000, async () => {
    const report = await answered(fleet.api('fra1').coordinator()).catch(() => undefined);
    return report?.generation === 2 && report.isConfirmed;
  });
  transcript.event('20 seconds later');
  await transcript.run('fra1', ['coordinator', 'status'], { says: /generation 2/ });
  await transcript.run('ams1', ['layout', 'history']);
  transcript.section('The old majority comes back');
  transcript.say(
    'The three were not gone for good after all. Alone they were a majority of the old generation: they would lead it, if nobody told them.',
  );
  for (const name of ['nyc1', 'sfo1', 'sin1']) await fleet.start(name);
  transcript.event('nyc1, sfo1 and sin1 are started');
  await until('they follow the new generation', 90_000, async () => {
    const report = await answered(fleet.api('nyc1').coordinator()).catch(() => undefined);
    return report?.generation === 2 && report.isConfirmed && report.learners.length === 3;
  });
  transcript.say(
    'They have been told. An abandoned voter takes up the new generation and follows it; it has no vote, and leads nothing.',
  );
  await transcript.run('nyc1', ['coordinator', 'status'], {
    says: /generation 2.*without a vote/s,
  });
  await transcript.run('ams1', ['coordinator', 'status'], { says: /a quorum agrees/ });
  await transcript.run('ams1', ['layout', 'show']);
}
