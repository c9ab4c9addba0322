import { describe, expect, test } from 'vitest';
import { Channel } from '../../../src/base/channel.ts';

/** All values of a channel, or what it failed with. */
async function drain<T>(channel: Channel<T>): Promise<{ values: T[]; error?: unknown }> {
  const values: T[] = [];
  try {
    for await (const value of channel) values.push(value);
    return { values };
  } catch (error) {
    return { values, error };
  }
}

describe('a channel', () => {
  test('gives out what was pushed, in order, whenever the reader comes', async () => {
    const channel = new Channel<number>();
    channel.push(1);
    const reading = drain(channel);
    await Promise.resolve();
    channel.push(2);
    await Promise.resolve();
    channel.push(3);
    channel.end();
    expect(await reading).toEqual({ values: [1, 2, 3] });
  });

  test('keeps only the newest progress for a slow reader, and everything else', async () => {
    const channel = new Channel<string>();
    for (let i = 0; i < 1000; i++) channel.latest(`status ${i}`);
    channel.push('problem');
    channel.latest('status a');
    channel.latest('status b');
    channel.push('done');
    channel.end();
    expect((await drain(channel)).values).toEqual(['status 999', 'problem', 'status b', 'done']);
  });

  test('gives out undefined and false like other values', async () => {
    const channel = new Channel<undefined | boolean>();
    channel.push(undefined);
    channel.push(false);
    channel.end();
    expect((await drain(channel)).values).toEqual([undefined, false]);
  });

  test('fails after the values before the failure', async () => {
    const channel = new Channel<number>();
    const error = new Error('the job broke');
    channel.push(1);
    channel.fail(error);
    expect(await drain(channel)).toEqual({ values: [1], error });
  });

  test('that has ended does not fail, and one that has failed does not end', async () => {
    const ended = new Channel<number>();
    ended.end();
    ended.fail(new Error('too late'));
    expect(await drain(ended)).toEqual({ values: [] });

    const failed = new Channel<number>();
    const error = new Error('first');
    failed.fail(error);
    failed.end();
    failed.fail(new Error('second'));
    expect((await drain(failed)).error).toBe(error);
  });

  test('wakes a reader that waits for a failure', async () => {
    const channel = new Channel<number>();
    const reading = drain(channel);
    await Promise.resolve();
    const error = new Error('the job broke');
    channel.fail(error);
    expect((await reading).error).toBe(error);
  });
});
