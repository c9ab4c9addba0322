import type { Patch } from '../raft/mutants-build.ts';

/** A deliberate bug in what stands on the log: its state, or the services of plans. */
export type ControlMutant = {
  /** What it does wrong; continues "an agent that". */
  readonly name: string;
  readonly patches: readonly Patch[];
  /** So many seeds are enough to find it. */
  readonly seedsMax: number;
};

function mutant(name: string, seedsMax: number, ...patches: readonly Patch[]): ControlMutant {
  return { name, seedsMax, patches };
}

/** In the state machine. */
function state(file: string, old: string, replacement: string): Patch {
  return { file: `core/protocol/control/${file}`, old, new: replacement };
}

function service(file: string, old: string, replacement: string): Patch {
  return { file: `services/${file}`, old, new: replacement };
}

export const controlMutants: readonly ControlMutant[] = [
  mutant(
    'promotes without evidence that the holder is off',
    20,
    state('incarnation-book.ts', "if (state === 'live') throw", 'if (false) throw'),
    service(
      'plan/promotion-driver.ts',
      "if (state !== 'live') return undefined;",
      'return undefined;',
    ),
  ),
  mutant(
    'opens a slot anew while it is voted on',
    60,
    state(
      'incarnation-book.ts',
      "if (state === 'contested') throw refusal(`",
      'if (false) throw refusal(`',
    ),
    state(
      'incarnation-book.ts',
      'if (promotion.incarnation !== incarnation + 1) {',
      'if (false) {',
    ),
    service('plan/promotion-driver.ts', "if (state === 'contested')", 'if (false)'),
  ),
  mutant(
    'decides a slot with one grant too few',
    10,
    state(
      'slot.ts',
      'grants >= fenceQuorum(voters.length, faulty)',
      'grants >= fenceQuorum(voters.length, faulty) - 1',
    ),
  ),
  mutant(
    'counts a vote that is said twice',
    120,
    state(
      'slot.ts',
      "if (before.isGrant === isGrant && isCandidate) throw refusal('this voter has voted already');",
      'return { ...slot, votes: [...slot.votes, { ...word, isGrant }] };',
    ),
  ),
  mutant(
    'takes the marks of a coordinator that was replaced',
    80,
    state(
      'plan-book.ts',
      'if (current.generation !== fence.generation || current.index !== fence.index) {',
      'if (false) {',
    ),
  ),
  mutant(
    'lets one operator do what needs two',
    10,
    state('authority.ts', 'if (found.length >= threshold) return found;', 'return found;'),
  ),
  mutant('checks no signature', 10, {
    file: 'core/crypto/signature.ts',
    old: 'const holds = isQuick || verifyByReference(publicKey, message, signature);',
    new: 'const holds = true;',
  }),
  mutant(
    'forgets that a run was cancelled',
    30,
    state(
      'plan-book.ts',
      "return () => this.#setRun(found, closed(run, 'cancelled'));",
      'return () => {};',
    ),
  ),
  mutant(
    'obeys any coordinator',
    100,
    service('plan/worker.ts', 'await this.#raiseFences(order, admitted);', ''),
    service(
      'plan/admission.ts',
      "if (compareFences(assignment.fence, order.fence) !== 0) throw refused('its fence is outdated');",
      '',
    ),
    service('plan/admission.ts', 'if (assignment.coordinator !== coordinator) {', 'if (false) {'),
  ),
  mutant(
    'begins a hook before it has noted that',
    150,
    service(
      'plan/worker.ts',
      `undo: undefined };
    await this.#options.steps.write(stepKey(order), encodeMemory(begun));`,
      'undo: undefined };',
    ),
  ),
  mutant(
    'runs a hook again after a crash',
    40,
    service('plan/worker.ts', "if (isKnown && admitted.step.kind === 'hook') {", 'if (false) {'),
  ),
  mutant(
    'begins again what runs already',
    10,
    service(
      'plan/worker.ts',
      'if (running !== undefined) return this.#takeRunning(order, running);',
      '',
    ),
    service('plan/worker.ts', "if (isKnown && admitted.step.kind === 'hook') {", 'if (false) {'),
  ),
  mutant(
    'votes on a slot without keeping its vote',
    10,
    service('plan/fence-voter.ts', 'await fences.castVote(name, { target, fence });', ''),
  ),
  mutant(
    'never takes a run over',
    10,
    service(
      'plan/run-driver.ts',
      'await control.submit(body, options);',
      'if (found(control, name) === undefined) await control.submit(body, options);',
    ),
    service(
      'plan/run-driver.ts',
      'function driverOf(',
      'const found = (control, name) => control.state.plans.runOf(name)?.run.assignment;\nfunction driverOf(',
    ),
  ),
  mutant(
    'says what it has not written yet',
    10,
    service(
      'control/raft-driver.ts',
      'for (const effect of effects) await',
      'for (const effect of [...effects.slice(1), ...effects.slice(0, 1)]) await',
    ),
  ),
];
