import { openCommand } from '../../../src/core/format/control-envelope.ts';
import type { AgentKey, ClusterId } from '../../../src/core/ids.ts';
import type { ControlDisk } from '../disk.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

type DiskOf = (agent: AgentKey) => ControlDisk | undefined;

/**
 * A site becomes lost only when a majority of those who vote then has said so since somebody of the site spoke last.
 * It stays lost while voters come and go, until a majority or the site itself says otherwise.
 */
export class SitesByMajority implements ControlChecker {
  readonly name = 'sites-by-majority';
  readonly #diskOf: DiskOf;
  readonly #cluster: ClusterId;
  readonly #missing = new Map<string, Set<string>>();
  readonly #lost = new Set<string>();
  #checked = 0;

  constructor(diskOf: DiskOf, cluster: ClusterId) {
    this.#diskOf = diskOf;
    this.#cluster = cluster;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.body.kind !== 'site-report') return undefined;
    const { index, body, outcome } = seen.command;
    if (index <= this.#checked || outcome.outcome !== 'applied') return undefined;
    const payload = this.#diskOf(seen.agent)?.log.entryAt(index)?.payload;
    if (payload === undefined) return undefined;
    this.#checked = index;
    const { sites, members, config } = seen.control.state;
    const [signer = ''] = openCommand(payload, this.#cluster).signers;
    const said = this.#missing.get(body.site) ?? new Set<string>();
    this.#missing.set(body.site, said);
    if (members.of(signer as AgentKey)?.site === body.site) said.clear();
    else if (body.state === 'lost') said.add(signer);
    const { length } = config.voters.filter((voter) => members.of(voter)?.site !== body.site);
    const wasLost = this.#lost.delete(body.site);
    if (sites.of(body.site)?.isLost !== true) return undefined;
    this.#lost.add(body.site);
    if (wasLost || 2 * said.size > length) return undefined;
    return `site ${body.site} is lost by the word of ${said.size} of ${length} voters`;
  }
}
