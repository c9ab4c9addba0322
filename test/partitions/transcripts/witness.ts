import { until } from '../../support/cluster.ts';
import { settledLeader } from '../failover-time.ts';
import type { Fleet } from '../fleet.ts';
import { fleetHosts } from '../hosts.ts';
import type { Transcript } from '../transcript-text.ts';
import { someFiles, untilCalm } from './scene.ts';

/** Two sites that hold data and a witness at a third: either site alone may be lost. */
export async function witness(fleet: Fleet, transcript: Transcript): Promise<void> {
  const hosts = fleetHosts.slice(0, 3);
  const roles = new Map([['nyc1', ['witness']]]);
  await fleet.form(hosts, { surviveSites: 1, roles });
  await until('three vote', 60_000, async () => {
    const { voters } = await fleet.api('ams1').coordinator();
    return voters.length === 3;
  });
  await settledLeader(fleet);
  transcript.title('Two sites and a witness: one site is lost, the other goes on');
  transcript.say(
    'ams1 and fra1 hold the data. nyc1 joined with a code of `holdfast invite --role witness`: it holds no shards and backs nothing up, but it has a vote, so that two of three remain when either site is lost. Made again by `node test/partitions/transcript.ts witness`.',
  );
  await transcript.run('ams1', ['peer', 'list']);
  await transcript.run('ams1', ['coordinator', 'status'], { says: /nyc1 \(witness\)/ });
  const source = someFiles(fleet, 'fra1');
  await transcript.run('fra1', ['backup', '--dataset', 'web', source]);
  transcript.section('ams1 is lost');
  await fleet.kill('ams1');
  transcript.event('the host of ams1 loses its power');
  await untilCalm(fleet, 'fra1');
  await transcript.run('fra1', ['coordinator', 'status'], { says: /a quorum agrees/ });
  await transcript.run('fra1', ['layout', 'show']);
  transcript.say(
    'Decisions are still made: fra1 and the witness are two of three. To see one made, fra1 is asked to lead, if it does not yet.',
  );
  await transcript.run('fra1', ['coordinator', 'step-down', '--to', 'fra1'], {
    says: /Coordinator: fra1 \(a quorum agrees\)/,
  });
  await transcript.run('fra1', ['status']);
  transcript.section('ams1 comes back');
  await fleet.start('ams1');
  transcript.event('ams1 is up again');
  await settledLeader(fleet);
  await transcript.run('ams1', ['coordinator', 'status'], { says: /a quorum agrees/ });
}
