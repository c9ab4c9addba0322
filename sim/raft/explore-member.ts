import type { AgentKey } from '../../src/core/ids.ts';
import type { Raft } from '../../src/core/protocol/raft/raft.ts';
import type {
  RaftConfig,
  RaftEffect,
  RaftInput,
  RaftMessageBody,
  RaftOptions,
  RaftSettings,
  RaftStored,
} from '../../src/core/protocol/raft/types.ts';
import { RaftDisk } from './disk.ts';
import { type Marks, marksOf, memberKey, placed } from './explore-symmetry.ts';

export type Make = (stored: RaftStored, settings: RaftSettings, options: RaftOptions) => Raft;

/** Sees each effect, with the disk as it is then. */
export type Take = (effect: RaftEffect, disk: RaftDisk) => void;

const refusal = {
  kind: 'append-response',
  isAccepted: false,
  matchIndex: 0,
  hintTerm: 0,
  round: 0,
} as const;
const preVote = { kind: 'vote-response', isPreVote: true, isGranted: true } as const;

const electionTicks = 2;
const standTicksMax = 4 * electionTicks;

/** One member of an explored world. Each step makes another one: it is never changed. */
export class Explored {
  readonly number: number;
  readonly raft: Raft;
  readonly disk: RaftDisk;
  readonly marks: Marks;
  readonly #make: Make;

  private constructor(number: number, raft: Raft, disk: RaftDisk, make: Make) {
    this.number = number;
    this.raft = raft;
    this.disk = disk;
    this.#make = make;
    // Nobody waits here, and nothing is drawn: neither the time that has passed nor the draws decide anything.
    const text = raft.fingerprint().replace(/^(\[\[\[\{[^}]*\},\d+),\d+,\d+,\d+\]/, '$1]');
    this.marks = placed(marksOf(text), number);
  }

  static first(number: number, founding: RaftConfig, make: Make): Explored {
    const disk = new RaftDisk(founding);
    return new Explored(number, make(disk.stored, settingsOf(number), {}), disk, make);
  }

  /** It takes inputs, one after another; `take` sees each effect, with the disk as it is then. */
  stepped(inputs: readonly RaftInput[], take: Take): Explored {
    const raft = this.raft.clone();
    const disk = copyOf(this.disk);
    for (const input of inputs) step(raft, input, disk, take);
    return new Explored(this.number, raft, disk, this.#make);
  }

  /**
   * It stands in a term, of which it knows or hears now; undefined when it will not. Everybody grants the pre-vote:
   * that is more than would, and safety must not rest on pre-votes.
   */
  standing(term: number, take: Take): Explored | undefined {
    const raft = this.raft.clone();
    const disk = copyOf(this.disk);
    const [self, others] = [memberKey(this.number), this.#others()];
    const give = (input: RaftInput): void => {
      step(raft, input, disk, (effect, at) => {
        if (effect.kind !== 'send' || isCandidacy(effect.message.body)) take(effect, at);
      });
    };
    const hear = (from: AgentKey, at: number, body: RaftMessageBody): void => {
      give({ kind: 'message', message: { from, to: self, generation: 1, term: at, body } });
    };
    if (raft.status().term < term - 1)
      for (const from of others.slice(0, 1)) hear(from, term - 1, refusal);
    for (let i = 0; i < standTicksMax && raft.status().term < term; i++) {
      give({ kind: 'tick' });
      for (const from of others) {
        if (raft.status().role === 'pre-candidate') hear(from, raft.status().term, preVote);
      }
    }
    const { role, term: own } = raft.status();
    const isDone = own === term && (role === 'candidate' || role === 'leader');
    return isDone ? new Explored(this.number, raft, disk, this.#make) : undefined;
  }

  #others(): AgentKey[] {
    const { voters, learners } = this.raft.status().config;
    return [...voters, ...learners].filter((key) => key !== memberKey(this.number));
  }

  /** It dies and starts again; with `isDamaged`, its last entry cannot be read any more. */
  restarted({ isDamaged }: { readonly isDamaged: boolean }): Explored {
    const disk = copyOf(this.disk);
    if (isDamaged) disk.damage(disk.lastIndex);
    const lost = { lostUpTo: disk.lost?.index, lostTerm: disk.lost?.term };
    const raft = this.#make(disk.stored, settingsOf(this.number), lost);
    return new Explored(this.number, raft, disk, this.#make);
  }
}

function step(raft: Raft, input: RaftInput, disk: RaftDisk, take: Take): void {
  for (const effect of raft.step(input).effects) {
    if (effect.kind === 'persist') disk.write(effect.write);
    take(effect, disk);
  }
}

/** What is said in the end; heartbeats of a leader that gives up, and pre-votes, go nowhere. */
function isCandidacy(body: RaftMessageBody): boolean {
  return (body.kind === 'vote-request' && !body.isPreVote) || body.kind === 'append-request';
}

function settingsOf(number: number): RaftSettings {
  return {
    self: memberKey(number),
    // No draws: time passes as the search decides.
    ...{ electionTicksMin: electionTicks, electionTicksMax: electionTicks, heartbeatTicks: 1 },
    ...{ messageBytesMax: 1, entriesInFlightMax: 2, seed: 0 },
  };
}

function copyOf(disk: RaftDisk): RaftDisk {
  const copy = new RaftDisk(disk.snapshot.config);
  copy.hard = disk.hard;
  copy.snapshot = disk.snapshot;
  copy.entries = [...disk.entries];
  copy.lost = disk.lost;
  return copy;
}
