import type { Patch } from '../raft/mutants-build.ts';
import type { ControlFaultKind } from './plan.ts';

/** A deliberate bug in what stands on the log: its state, or the services of plans. */
export type ControlMutant = {
  /** What it does wrong; continues "an agent that". */
  readonly name: string;
  readonly patches: readonly Patch[];
  /** So many seeds are enough to find it; of those with this kind of trouble, where one is named. */
  readonly seedsMax: number;
  readonly about?: ControlFaultKind;
  /** Which checker must find it, where another one would be faster: each must be seen to fail. */
  readonly by?: string;
  /** The workload alone finds it: trouble would only take time. */
  readonly isCalm?: boolean;
};

function mutant(name: string, seedsMax: number, ...patches: readonly Patch[]): ControlMutant {
  return { name, seedsMax, patches };
}

type Aim = Pick<ControlMutant, 'about' | 'by' | 'isCalm'>;

function aimed(aim: Aim, name: string, seedsMax: number, ...patches: Patch[]): ControlMutant {
  return { ...mutant(name, seedsMax, ...patches), ...aim };
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
    250,
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
  aimed(
    { by: 'one-live' },
    "gives a slot up at an operator's word alone",
    40,
    state(
      'incarnation-book.ts',
      'change: () => this.#set({ ...known, slot: { ...slot, isGivenUp: true } })',
      "change: () => this.#set({ ...known, state: 'dead', slot: undefined })",
    ),
  ),
  aimed(
    { by: 'one-live' },
    'gives a slot up when another host than its candidate is off',
    300,
    state(
      'incarnation-book.ts',
      'const isDead = known.slot?.target === agent;',
      'const isDead = known.slot !== undefined;',
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
  aimed(
    { isCalm: true },
    'lets one operator do what needs two',
    10,
    state(
      'authority.ts',
      'return length >= threshold ? undefined',
      'return length > 0 ? undefined',
    ),
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
  aimed(
    { about: 'isolate-holder', by: 'live-copies' },
    'promotes without evidence, as its copies show',
    // One of seventeen seeds has the holder cut off, and a plan that comes to its promotion meanwhile.
    80,
    state('incarnation-book.ts', "if (state === 'live') throw", 'if (false) throw'),
    service(
      'plan/promotion-driver.ts',
      "if (state !== 'live') return undefined;",
      'return undefined;',
    ),
  ),
  aimed(
    { about: 'majority-lost' },
    'puts a decree into force without its notice',
    5,
    service(
      'control/decree-keeper.ts',
      'if (this.pending?.leftMs === 0 && !this.#isBehind) await this.#enforce();',
      'if (this.#pending !== undefined) await this.#enforce();',
    ),
  ),
  aimed(
    { about: 'majority-lost' },
    'lets one operator decree',
    5,
    state(
      'new-generation.ts',
      'authority.requireOperators(signers)',
      'authority.requireOperator(signers)',
    ),
  ),
  aimed(
    { about: 'false-decree' },
    'lets those vote again whom a decree has abandoned',
    10,
    state('member-book.ts', 'this.#set({ ...member, isAbandoned: true });', 'this.#set(member);'),
  ),
  aimed(
    { about: 'false-decree' },
    'stays in an old generation when nobody speaks to it',
    10,
    service(
      'control/decree-keeper.ts',
      'if (this.#isBehind || this.#isLeftAlone()) await this.#follow(options);',
      '',
    ),
  ),
  aimed(
    { about: 'site-lost' },
    "takes a site for lost by one voter's word",
    10,
    state(
      'site-book.ts',
      'const majority = Math.floor(voters.length / 2) + 1;',
      'const majority = 1;',
    ),
  ),
  aimed(
    { about: 'site-lost' },
    'begins a standby plan before its site is lost',
    10,
    service('plan/standby.ts', "if (run.state !== 'ready') return false;", 'return false;'),
  ),
  aimed(
    { about: 'liar', by: 'equivocation-found' },
    'overlooks a second word for one slot',
    10,
    state('slot.ts', 'throw contradiction(voter, `', 'throw refusal(`'),
  ),
  aimed(
    { about: 'liar', by: 'equivocation-found' },
    'lets a second word count',
    10,
    state('slot.ts', 'if (before !== undefined) {', 'if (false) {'),
  ),
  aimed(
    { about: 'liar', by: 'equivocation-found' },
    'keeps one word of two that contradict each other',
    10,
    state('control-state.ts', 'first === undefined ? [envelope] : [first, envelope]', '[envelope]'),
  ),
  aimed(
    { about: 'upgrade', by: 'same-state' },
    'goes on past a format that it does not know',
    10,
    service(
      'control/format-guard.ts',
      'return isKnown ? this.#unreadable : current;',
      'return isKnown && current < 0 ? this.#unreadable : undefined;',
    ),
    state(
      'control-state.ts',
      "    assert(this.format.isKnown, 'nobody applies what may mean something else');\n",
      '',
    ),
  ),
  aimed(
    { about: 'lease-lost', by: 'leased-copies' },
    'lets programs run on after the end of their lease',
    60,
    service(
      'plan/lease-keeper.ts',
      'const untilMs = nowMs + leaseMs - leaseMs / stoppingPart;',
      'const untilMs = nowMs + 10 * leaseMs;',
    ),
  ),
  aimed(
    { about: 'lease-lost', by: 'leased-copies' },
    'says too early that a lease has run out',
    40,
    service('plan/lease-watch.ts', 'return forMs + forMs / 8 + 2 * secondMs;', 'return forMs / 8;'),
  ),
  aimed(
    { about: 'lease-lost', by: 'one-live' },
    'takes the word of one voter that a lease has run out',
    40,
    state(
      'lease-book.ts',
      'if (count >= fenceQuorum(voters.length, this.#faulty)) {',
      'if (count >= 1) {',
    ),
  ),
  aimed(
    { about: 'upgrade', by: 'same-state' },
    'takes commands of a format that is not in force yet',
    // One of five: a copy must be called off while both versions run and the format is still to come.
    40,
    state('format-book.ts', 'if (format > this.#current) {', 'if (false) {'),
  ),
  aimed(
    { about: 'lying-leader', by: 'forks-found' },
    'does not look at what other voters have signed',
    30,
    service('control/checkpoint-keeper.ts', 'this.#forks.set(voter, size);', ''),
  ),
  aimed(
    { by: 'bounded', isCalm: true },
    'fills the log with what it says of the time',
    5,
    service('control/time-keeper.ts', 'const periodMs = 2 * secondMs;', 'const periodMs = 2;'),
    service('control/time-keeper.ts', 'if (word === undefined) return true;', 'return true;'),
  ),
  aimed(
    { by: 'endless' },
    'waits for nothing',
    3,
    service('plan/bell.ts', 'await Promise.race([rung, late]);', ''),
  ),
  aimed(
    { by: 'authorized', isCalm: true },
    'counts two signatures of one operator',
    20,
    state(
      'proposal-change.ts',
      '!approvals.some(({ operator }) => operator === key)',
      'true || key === undefined',
    ),
    state(
      'proposal-change.ts',
      'return new Set(signersOf(state, command.body, all));',
      'return approvals.length > 1 ? new Set(state.operators.current.operators.map(({ key }) => key)) : all;',
    ),
  ),
];
