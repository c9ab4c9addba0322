import { resolve } from 'node:path';
import { MiB } from '../../base/units.ts';
import { type DatasetShape, ShapeCounter } from '../../core/policy/data-shape.ts';
import type { DrillKind } from '../../core/policy/drill-report.ts';
import type { RunFlags } from '../drill-flags.ts';
import { endDrill, followDrill } from '../drill-follow.ts';
import { kitFileOf, openSession, resolveSnapshot } from '../recovery.ts';
import type { CliContext } from '../world.ts';
import { splitSubject } from './drill-live.ts';

const madeUpMax = 48 * MiB;
/** More agents show nothing more, and this machine has to run them all. */
const sitesMax = 5;
const sitesMin = 3;

/** Makes the fault in a cluster of its own, with made-up data of the dataset's shape. */
export async function drillInSandbox(
  context: CliContext,
  { scenario, of }: { scenario: DrillKind; of: string },
  flags: RunFlags,
): Promise<void> {
  const { backend, stateDir, cwd, signal } = context;
  const name = splitSubject(of).dataset;
  const agent = backend.control(stateDir);
  const terms = await agent.drillTerms({ dataset: name, scenario });
  const { dataset, shape } = await agent.drillShape({ dataset: name });
  const status = await agent.status();
  const sites = Math.min(sitesMax, Math.max(sitesMin, status.sites.length));
  const events = backend.sandboxDrill(
    {
      ...{ scenario, terms, sites, dataset },
      shape: await shapeWithKit(context, shape, { dataset: name, flags }),
      surviveSites: Math.min(status.policy.surviveSites, sites - 1),
      stagingDir:
        flags.staging === undefined ? resolve(stateDir, 'staging') : resolve(cwd, flags.staging),
      bytesMax: flags.maxSize ?? madeUpMax,
      timeMaxMs: flags.maxTime,
      keeps: flags.keep === true,
    },
    { signal },
  );
  const report = await followDrill(context, events);
  await endDrill(context, report, { hasAgent: true, isWanted: flags.record });
}

/** With the kit also the sizes of files and the depth of the tree are known. */
async function shapeWithKit(
  context: CliContext,
  shape: DatasetShape,
  { dataset, flags }: { dataset: string; flags: RunFlags },
): Promise<DatasetShape> {
  if (kitFileOf(context, flags) === undefined) return shape;
  await using session = await openSession(context, flags);
  const snapshot = await resolveSnapshot(session, { snapshot: flags.snapshot, dataset });
  const counter = new ShapeCounter();
  for await (const entry of session.list({ snapshot, path: '/', recursive: true })) {
    counter.add(entry);
  }
  return counter.of(shape);
}
