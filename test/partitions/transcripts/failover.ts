import { join } from 'node:path';
import { until } from '../../support/cluster.ts';
import { settledLeader } from '../failover-time.ts';
import type { Fleet } from '../fleet.ts';
import { fleetHosts } from '../hosts.ts';
import type { Transcript } from '../transcript-text.ts';
import { someFiles, untilAnchored, untilCalm } from './scene.ts';

/** A site is lost, its dataset goes live elsewhere by a plan, and the old origin learns of it when it returns. */
export async function failover(fleet: Fleet, transcript: Transcript): Promise<void> {
  await fleet.form(fleetHosts, { surviveSites: 2 });
  await settledLeader(fleet);
  const source = someFiles(fleet, 'sin1');
  const plan = join(fleet.root, 'web.plan.json');
  transcript.title('Failover by plan, and the return of the old origin');
  transcript.say(
    'sin1 backs up the dataset `web`. Its site is lost; `web` comes back at fra1 and becomes the live copy there. A *plan* is what operators sign: which steps are done, where. The *incarnation* says which copy is the live one: 0 where the dataset began, one more with every promotion. Made again by `node test/partitions/transcript.ts failover`.',
  );
  await transcript.run('sin1', ['backup', '--dataset', 'web', source]);
  await untilAnchored(fleet, 'ams1', 'web');
  transcript.section('sin1 is lost');
  await fleet.kill('sin1');
  transcript.event('the host of sin1 loses its power');
  await untilCalm(fleet, 'ams1');
  await until('ams1 misses sin1', 60_000, async () => {
    const peers = await fleet.api('ams1').peers();
    return peers.some(({ name, state }) => name === 'sin1' && state === 'unreachable');
  });
  const target = ['--to', 'fra1', '--dir', join(fleet.root, 'restored'), '-o', plan];
  await transcript.run('ams1', ['restore', 'plan', 'web', ...target]);
  transcript.say(
    'Nobody but sin1 itself could say that it writes no more, and it is silent: the plan restores, and stops before the promotion.',
  );
  const run = ['restore', 'run', plan, '--kit', fleet.kit];
  await transcript.run('ams1', run, { code: 1, says: /needs a decision/ });
  transcript.say('An operator who knows that the host is off says so, with a signature.');
  const reason = 'the power of the whole site is off, says its landlord';
  const isolate = ['dataset', 'isolate', '--agent', 'sin1', '--reason', reason, '--yes'];
  await transcript.run('ams1', isolate);
  const [report] = await fleet.api('ams1').plans();
  const name = report?.name ?? '';
  await transcript.run('ams1', ['restore', 'resume', name]);
  await transcript.run('ams1', ['restore', 'status', name, '--follow'], { says: /Done/ });
  await transcript.run('fra1', ['dataset', 'show', 'web'], { says: /may write/ });
  transcript.section('The old origin comes back');
  await fleet.start('sin1');
  transcript.event('sin1 is up again');
  await untilCalm(fleet, 'sin1');
  await until('sin1 knows', 60_000, async () => {
    const found = (await fleet.api('sin1').datasets()).find(({ name }) => name === 'web');
    return found?.here.mayWrite === false;
  });
  await transcript.run('sin1', ['dataset', 'show', 'web'], { says: /must not write/ });
  await transcript.run('sin1', ['backup', '--dataset', 'web', source], { code: 24 });
  transcript.say(
    'Nothing was lost, and nothing forked. When the new copy shall stay, that is all; the old origin may write again only when operators reinstate it.',
  );
}
