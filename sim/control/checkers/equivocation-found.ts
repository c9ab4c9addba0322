import { openCommand } from '../../../src/core/format/control-envelope.ts';
import type { AgentKey, ClusterId } from '../../../src/core/ids.ts';
import type { ControlDisk } from '../disk.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

type DiskOf = (agent: AgentKey) => ControlDisk | undefined;

/**
 * Two different words of one voter for one slot that is open, or whose grants are kept, are found, and kept with both envelopes; and only who has
 * said two is ever accused.
 */
export class EquivocationFound implements ControlChecker {
  readonly name = 'equivocation-found';
  readonly #diskOf: DiskOf;
  readonly #cluster: ClusterId;
  /** The first word of each voter that counts, for each slot. */
  readonly #words = new Map<string, string>();
  readonly #guilty = new Set<string>();
  #checked = 0;

  constructor(diskOf: DiskOf, cluster: ClusterId) {
    this.#diskOf = diskOf;
    this.#cluster = cluster;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.body.kind !== 'fence-vote') return undefined;
    const { index, body, outcome } = seen.command;
    if (index <= this.#checked) return undefined;
    const payload = this.#diskOf(seen.agent)?.log.entryAt(index)?.payload;
    if (payload === undefined) return undefined;
    this.#checked = index;
    const [signer = ''] = openedSigners(payload, this.#cluster);
    const { dataset, incarnation, generation, target, fence } = body;
    const slot = `${generation}-${dataset}-${incarnation}`;
    const word = target === undefined ? 'abandon' : `${target}/${fence?.index ?? 0}`;
    const first = this.#words.get(`${slot}/${signer}`);
    if (outcome.outcome === 'applied') {
      if (first !== undefined && first !== word) return `two words of ${signer.slice(0, 8)} count`;
      this.#words.set(`${slot}/${signer}`, word);
      return undefined;
    }
    const { findings, incarnations } = seen.control.state;
    const known = incarnations.of(dataset);
    const isOpen = known?.slot !== undefined && known.incarnation === incarnation;
    const { certificate } = known ?? {};
    const isDecided = certificate?.incarnation === incarnation && !known?.slot;
    // Of a slot that is decided the grants alone are still known.
    const isKept = isOpen || (isDecided && first !== 'abandon');
    if (isKept && first !== undefined && first !== word) this.#guilty.add(signer);
    const accused = new Set<string>(findings.equivocations.map(({ agent }) => agent));
    const unseen = [...this.#guilty].find((one) => !accused.has(one));
    if (unseen !== undefined) return `two words of ${unseen.slice(0, 8)} are not noticed`;
    const poor = findings.equivocations.find(({ evidence }) => evidence.length < 2);
    return poor && `the two words of ${poor.agent.slice(0, 8)} are not kept`;
  }
}

/** Nobody for what cannot be opened: it is void, and nobody's word. */
function openedSigners(payload: Uint8Array, cluster: ClusterId): readonly string[] {
  try {
    return [...openCommand(payload, cluster).signers];
  } catch {
    return [];
  }
}
