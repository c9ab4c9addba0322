import { beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { Hook, HookResult } from '../../../src/ports/hook.ts';
import type { Cancel } from '../../../src/ports/runtime.ts';
import { aroundStage, type StageHook, type StageHooks } from '../../../src/services/stage-hooks.ts';

type Event = { type: 'step' } | { type: 'summary'; snapshot: string };

const done: HookResult = { isDone: true, detail: 'ended with code 0', output: '' };
const broken: HookResult = { isDone: false, detail: 'ended with code 1', output: 'no space' };

let ran: Hook[];
let results: Record<string, HookResult | (() => Promise<HookResult>)>;
let work: (signal: AbortSignal) => AsyncIterable<Event>;

beforeEach(() => {
  ran = [];
  results = {};
  work = async function* () {
    yield { type: 'step' };
    yield { type: 'summary', snapshot: 'abcd' };
  };
});

function hook(name: string, onFailure: StageHook['onFailure'] = 'abort'): StageHook {
  return { command: [name], timeoutMs: 1000, onFailure };
}

function around(hooks: StageHooks) {
  return aroundStage<Event>(
    {
      ...{ stage: 'backup', hooks, log: { log: () => {} }, facts: { dataset: 'web' } },
      runner: {
        run: async (one: Hook, options: Cancel) => {
          ran.push(one);
          const result = results[one.argv[0] ?? ''] ?? done;
          const outcome = typeof result === 'function' ? await result() : result;
          options.signal?.throwIfAborted();
          return outcome;
        },
      },
      learn: (event) =>
        event.type === 'summary' ? { facts: { snapshot: event.snapshot }, isLast: true } : {},
    },
    (signal) => work(signal),
  );
}

async function collected<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const names = (): (string | undefined)[] => ran.map(({ argv }) => argv[0]);
const outcomes = () => ran.flatMap(({ environment }) => environment.HOLDFAST_OUTCOME ?? []);

describe('programs around a stage', () => {
  test('run in their order, and find what it is about and how it has ended', async () => {
    const events = await collected(around({ before: [hook('a'), hook('b')], after: [hook('c')] }));
    expect(events.map(({ type }) => type)).toEqual(['step', 'summary']);
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(ran[0]?.environment).toEqual({
      ...{ HOLDFAST_DATASET: 'web', HOLDFAST_STAGE: 'backup', HOLDFAST_WHEN: 'before' },
    });
    expect(ran[2]?.environment).toEqual({
      ...{ HOLDFAST_DATASET: 'web', HOLDFAST_STAGE: 'backup', HOLDFAST_WHEN: 'after' },
      ...{ HOLDFAST_OUTCOME: 'done', HOLDFAST_SNAPSHOT: 'abcd' },
    });
  });

  test('that fail before it keep it from beginning, and those after still run', async () => {
    results.a = broken;
    let hasBegun = false;
    work = async function* () {
      hasBegun = true;
      yield { type: 'step' };
    };
    const running = collected(around({ before: [hook('a'), hook('b')], after: [hook('c')] }));
    await expect(running).rejects.toMatchObject({
      code: 'hook-failed',
      message: expect.stringContaining('was not begun: ended with code 1: no space'),
    });
    expect(hasBegun).toBe(false);
    expect(names()).toEqual(['a', 'c']);
    expect(outcomes()).toEqual(['failed']);
  });

  test('that fail after it make it fail, and that it is done is said', async () => {
    results.c = broken;
    const seen: string[] = [];
    const run = async (): Promise<void> => {
      for await (const { type } of around({ before: [], after: [hook('c'), hook('d')] })) {
        seen.push(type);
      }
    };
    await expect(run()).rejects.toMatchObject({
      code: 'hook-failed',
      message: expect.stringContaining('itself is done'),
    });
    expect(seen).toEqual(['step', 'summary']);
    expect(names()).toEqual(['c', 'd']);
  });

  test('that shall only warn are told of, and nothing more', async () => {
    results.a = broken;
    results.c = broken;
    const events = await collected(
      around({ before: [hook('a', 'warn')], after: [hook('c', 'warn')] }),
    );
    expect(events.map(({ type }) => type)).toEqual(['notice', 'step', 'summary', 'notice']);
  });

  test('run after it when it fails, and its own failure is told', async () => {
    results.c = broken;
    work = async function* () {
      yield { type: 'step' };
      throw new HoldfastError('disk-full', 'no room');
    };
    const running = collected(around({ before: [hook('a')], after: [hook('c')] }));
    await expect(running).rejects.toMatchObject({ code: 'disk-full' });
    expect(outcomes()).toEqual(['failed']);
  });

  test('run after it when nobody listens any more, which stops it at once', async () => {
    let stopped: AbortSignal | undefined;
    work = async function* (signal) {
      stopped = signal;
      yield { type: 'step' };
      await new Promise((_, fail) => {
        signal.addEventListener('abort', () => fail(signal.reason), { once: true });
      });
    };
    const events = around({ before: [hook('a')], after: [hook('c')] });
    await events.next();
    const pending = events.next();
    await Promise.all([
      expect(pending).rejects.toMatchObject({ code: 'interrupted' }),
      events.return(undefined),
    ]);
    expect(stopped?.aborted).toBe(true);
    expect(outcomes()).toEqual(['interrupted']);
  });

  test('are stopped themselves when nobody listens any more', async () => {
    let hasBegun = false;
    const { promise, resolve } = Promise.withResolvers<HookResult>();
    results.a = () => promise;
    work = async function* () {
      hasBegun = true;
      yield { type: 'step' };
    };
    const events = around({ before: [hook('a')], after: [hook('c')] });
    const pending = events.next();
    const returned = events.return(undefined);
    resolve(done);
    await expect(pending).rejects.toMatchObject({ code: 'interrupted' });
    await returned;
    expect(hasBegun).toBe(false);
    expect(outcomes()).toEqual(['interrupted']);
  });
});
