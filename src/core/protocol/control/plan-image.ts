import type { MessageInitShape } from '@bufbuild/protobuf';
import { toHex } from '../../../base/bytes.ts';
import { fenceFrom, fenceMessage, hexBytes, wordFrom } from '../../format/control-field.ts';
import { grantMessage } from '../../format/control-message.ts';
import { grantFrom, planHashFrom } from '../../format/control-plan.ts';
import type { CommandId } from '../../format/control-records.ts';
import { idField, required } from '../../format/field.ts';
import {
  type FinishedPlan as FinishedMessage,
  FinishedPlanSchema,
  type PlanImage,
  PlanImageSchema,
  type RunImage,
  RunImageSchema,
  type StepImage,
  type StepImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes } from '../../ids.ts';
import { stepStates } from '../../policy/plan-graph.ts';
import { decodePlan, planHash } from '../../policy/plan-text.ts';
import type { FinishedPlan, PlanBook } from './plan-book.ts';
import { type PlanRecord, type PlanRun, runStates, type StepRecord } from './plan-run.ts';
import { waitFrom, waitImage } from './proposal-image.ts';
import { imageOnce } from './record-image.ts';
import { versionFrom, versionImage } from './versioned.ts';

const none = new Uint8Array();

/** The plans of a book, in its order. */
export function planImages(book: PlanBook): MessageInitShape<typeof PlanImageSchema>[] {
  return book.all().map(planImage);
}

const planImage = imageOnce(PlanImageSchema, ({ bytes, runs, commands }: PlanRecord) => ({
  plan: bytes,
  runs: runs.map(runImage),
  commands: commands.map(hexBytes),
}));

/** The finished plans of a book, in its order. */
export function finishedImages(book: PlanBook): MessageInitShape<typeof FinishedPlanSchema>[] {
  return book.finished().map(finishedImage);
}

const finishedImage = imageOnce(
  FinishedPlanSchema,
  ({ hash, run, state, commands }: FinishedPlan) => ({
    hash: hexBytes(hash),
    run,
    state,
    commands: commands.map(hexBytes),
  }),
);

/** The other half of `planImages`. @throws HoldfastError bad-encoding */
export function plansFrom(images: readonly PlanImage[]): PlanRecord[] {
  return images.map(({ plan, runs, commands }) => ({
    hash: planHash(plan),
    bytes: plan.slice(),
    plan: decodePlan(plan),
    runs: runs.map(runFrom),
    commands: commands.map((id) => toHex(id) as CommandId),
  }));
}

/** The other half of `finishedImages`. @throws HoldfastError bad-encoding */
export function finishedFrom(images: readonly FinishedMessage[]): FinishedPlan[] {
  return images.map(({ hash, run, state, commands }) => ({
    hash: planHashFrom(hash),
    run,
    state: wordFrom(state, runStates, 'state of a run'),
    commands: commands.map((id) => toHex(id) as CommandId),
  }));
}

const runImage = imageOnce(RunImageSchema, (run: PlanRun) => {
  const { assignment } = run;
  const grants = [...run.grants].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    run: run.run,
    state: run.state,
    ...versionImage(run),
    ...(assignment === undefined
      ? {}
      : {
          coordinator: idBytes(assignment.coordinator),
          fence: fenceMessage(assignment.fence),
        }),
    // In the order of the plan.
    steps: [...run.steps].map(([id, step]) => stepImage(id, step)),
    grants: grants.map(([, { grant, index, wait }]) => ({
      grant: grantMessage(grant),
      index: BigInt(index),
      wait: waitImage(wait),
    })),
  };
});

function runFrom(image: RunImage): PlanRun {
  const { run, coordinator } = image;
  const grants = image.grants.map(({ grant: message, index, wait: span }) => {
    const grant = grantFrom(required(message, 'grant'));
    const wait = waitFrom(required(span, 'wait of a grant'));
    return [grant.agent, { grant, index: Number(index), wait }] as const;
  });
  return {
    run,
    state: wordFrom(image.state, runStates, 'state of a run'),
    ...versionFrom(image),
    assignment:
      coordinator.length === 0
        ? undefined
        : { coordinator: idField(coordinator, 32, 'coordinator'), fence: fenceFrom(image.fence) },
    steps: new Map(image.steps.map((step) => [step.id, stepFrom(step)])),
    grants: new Map(grants),
  };
}

function stepImage(id: string, step: StepRecord): MessageInitShape<typeof StepImageSchema> {
  const { state, attempt, attemptsMax, worker, index, timeMs, detail, evidence } = step;
  return {
    id,
    state,
    attempt,
    attemptsMax,
    detail,
    evidence,
    worker: worker === undefined ? none : idBytes(worker),
    index: BigInt(index),
    timeMs: BigInt(timeMs),
  };
}

function stepFrom(image: StepImage): StepRecord {
  const { attempt, attemptsMax, worker, detail } = image;
  return {
    attempt,
    attemptsMax,
    detail,
    state: wordFrom(image.state, stepStates, 'state of a step'),
    worker: worker.length === 0 ? undefined : idField<AgentKey>(worker, 32, 'worker'),
    index: Number(image.index),
    timeMs: Number(image.timeMs),
    evidence: image.evidence.slice(),
  };
}
