import { expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { WriteRight } from '../../../../src/services/plan/write-right.ts';
import { type Actor, dataset, PlanCast, planOf } from '../../../support/plan-cast.ts';

const written = { id: dataset, name: 'db' };

/** Whoever made the dataset, with a plan that has named it. */
class Scene implements AsyncDisposable {
  readonly cast = new PlanCast();
  readonly writer: Actor;
  readonly right: WriteRight;
  isLeaseHeld = true;
  /** Stops the programs of the lease. */
  suspend = (): void => {};

  constructor() {
    this.cast.submit(planOf(this.cast));
    this.cast.lead('cairo');
    this.writer = this.cast.actor('oslo');
    this.right = new WriteRight(this.writer.control, {
      allows: () => this.isLeaseHeld,
      suspend: async () => this.suspend(),
      resume: () => {},
    });
  }

  /** Operators attest that the writer is off. */
  isolate(): void {
    const { agentKey } = this.writer.agent;
    const reason = 'it is silent';
    this.cast.log.say({ kind: 'isolate', agent: agentKey, dataset, reason });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cast[Symbol.asyncDispose]();
  }
}

test('a host that was asleep hears that it was isolated before its backup begins', async () => {
  await using scene = new Scene();
  scene.writer.control.hold();
  scene.isolate();
  const asked = scene.right.ask(written);
  scene.writer.control.release();
  await expect(asked).rejects.toMatchObject({ code: 'not-permitted' });
});

test('a backup that was running when another copy took over signs nothing', async () => {
  await using scene = new Scene();
  await scene.right.ask(written);
  scene.isolate();
  let isSigned = false;
  const signed = scene.right.sign(written, async () => {
    isSigned = true;
  });
  await expect(signed).rejects.toMatchObject({ code: 'not-permitted' });
  expect(isSigned).toBe(false);
});

test('without a quorum a backup goes on by the last known word', async () => {
  await using scene = new Scene();
  scene.writer.control.isCut = true;
  await scene.right.ask(written);
  expect(await scene.right.sign(written, async () => 'signed')).toBe('signed');
});

test('a demotion is said after the snapshot that is being signed, and no later one is signed', async () => {
  await using scene = new Scene();
  const order: string[] = [];
  scene.cast.log.beforeAppend = ({ kind }) => void order.push(kind);
  let end = (): void => {};
  const signed = scene.right.sign(written, async () => {
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    order.push('signed');
  });
  await scene.cast.clock.advance(0);
  const demoted = scene.right.demote(written);
  await scene.cast.clock.advance(0);
  const late = scene.right.sign(written, async () => void order.push('late'));
  await expect(late).rejects.toMatchObject({ code: 'not-permitted' });
  end();
  await signed;
  await demoted;
  expect(order).toEqual(['signed', 'demote']);
});

test('a demotion of which nobody has heard yet stops backups until it was said again', async () => {
  await using scene = new Scene();
  scene.cast.log.beforeAppend = () => {
    scene.cast.log.beforeAppend = undefined;
    throw new HoldfastError('no-quorum', 'no answer');
  };
  await expect(scene.right.demote(written)).rejects.toThrow('no answer');
  await expect(scene.right.ask(written)).rejects.toMatchObject({ code: 'not-permitted' });
  expect(await scene.right.demote(written)).toMatchObject({ outcome: 'applied' });
  await expect(scene.right.ask(written)).rejects.toThrow(/is off/);
});

test('a host whose lease has run out writes nothing, also without a quorum', async () => {
  await using scene = new Scene();
  scene.writer.control.isCut = true;
  scene.isLeaseHeld = false;
  await expect(scene.right.ask(written)).rejects.toMatchObject({ code: 'no-quorum' });
  const signed = scene.right.sign(written, async () => 'signed');
  await expect(signed).rejects.toMatchObject({ code: 'no-quorum' });
});

test('programs under a lease are stopped before a copy is called off, since the answer may be lost', async () => {
  await using scene = new Scene();
  const state = (): string | undefined =>
    scene.writer.control.state.incarnations.of(dataset)?.state;
  let before: string | undefined;
  scene.suspend = () => {
    before = state();
  };
  await scene.right.demote(written);
  expect(before).toBe('live');
  expect(state()).toBe('off');
});

test('a copy whose programs do not stop is not called off', async () => {
  await using scene = new Scene();
  scene.suspend = () => {
    throw new HoldfastError('failed', 'the programs do not stop');
  };
  await expect(scene.right.demote(written)).rejects.toMatchObject({ code: 'failed' });
  expect(scene.writer.control.state.incarnations.of(dataset)?.state).toBe('live');
});
