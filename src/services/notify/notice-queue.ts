import { concat, fromUtf8, utf8 } from '../../base/bytes.ts';
import { codeOf } from '../../core/errors.ts';
import { alarmMessages } from '../../core/log-messages/alarm.ts';
import type { KeyValue, KeyValueOperation } from '../../ports/key-value.ts';
import type { Notice } from '../../ports/messenger.ts';
import type { Log } from '../../ports/runtime.ts';

export type QueuedNotice = {
  readonly channel: string;
  readonly sequence: number;
  readonly notice: Notice;
};

const prefix = utf8('notices/');
const end = utf8('notices0');
/** Of one channel. Whoever hears nothing of so many must look for himself. */
const waitingMax = 1000;

/** What is still to be told by each channel, oldest first, over restarts of the agent. */
export class NoticeQueue {
  readonly #index: KeyValue;
  readonly #log: Log;
  readonly #waiting = new Map<string, QueuedNotice[]>();
  #sequence = 0;

  private constructor(index: KeyValue, log: Log) {
    this.#index = index;
    this.#log = log;
  }

  /** What was meant for a channel that is not configured any more is dropped. @throws HoldfastError corrupt | io-error */
  static async open(index: KeyValue, channels: readonly string[], log: Log): Promise<NoticeQueue> {
    const queue = new NoticeQueue(index, log);
    for (const channel of channels) queue.#waiting.set(channel, []);
    const stray: KeyValueOperation[] = [];
    for await (const { key, value } of index.range(prefix, end)) {
      const queued = decode(value);
      if (queued === undefined) log.log('warn', alarmMessages.queuedNoticeUnreadable, { key });
      const waiting = queued === undefined ? undefined : queue.#waiting.get(queued.channel);
      if (queued === undefined || waiting === undefined) stray.push({ type: 'delete', key });
      else waiting.push(queued);
      queue.#sequence = Math.max(queue.#sequence, queued?.sequence ?? 0);
    }
    for (const waiting of queue.#waiting.values()) waiting.sort((a, b) => a.sequence - b.sequence);
    if (stray.length > 0) await index.batch(stray);
    return queue;
  }

  /**
   * For every channel: what is to be written, together with the alarm that it is about. It waits for delivery once
   * `add` was called, whether the writing went well or not.
   */
  prepare(notice: Notice): { operations: KeyValueOperation[]; add: () => void } {
    const queued = [...this.#waiting.keys()].map((channel) => ({
      channel,
      sequence: ++this.#sequence,
      notice,
    }));
    return {
      operations: queued.map((one) => ({ type: 'put', key: keyOf(one), value: encode(one) })),
      add: () => {
        for (const one of queued) this.#add(one);
      },
    };
  }

  #add(queued: QueuedNotice): void {
    const waiting = this.#waiting.get(queued.channel);
    if (waiting === undefined) return;
    waiting.push(queued);
    const surplus = waiting.length - waitingMax;
    for (const oldest of waiting.slice(0, Math.max(0, surplus))) {
      const { channel, notice } = oldest;
      this.#log.log('error', alarmMessages.noticeDropped, { channel, id: notice.id });
      void this.remove(oldest).catch((error: unknown) => {
        const code = codeOf(error);
        if (code === undefined) throw error;
        this.#log.log('warn', alarmMessages.droppedNoticeStays, { channel, id: notice.id, code });
      });
    }
  }

  first(channel: string): QueuedNotice | undefined {
    return this.#waiting.get(channel)?.[0];
  }

  count(channel: string): number {
    return this.#waiting.get(channel)?.length ?? 0;
  }

  /** It was told, or never will be. */
  async remove(queued: QueuedNotice): Promise<void> {
    const waiting = this.#waiting.get(queued.channel) ?? [];
    const at = waiting.indexOf(queued);
    if (at >= 0) waiting.splice(at, 1);
    await this.#index.batch([{ type: 'delete', key: keyOf(queued) }], { durable: true });
  }
}

function keyOf({ channel, sequence }: QueuedNotice): Uint8Array {
  return concat([prefix, utf8(`${channel}/${String(sequence).padStart(16, '0')}`)]);
}

function encode(queued: QueuedNotice): Uint8Array {
  return utf8(JSON.stringify({ version: 1, ...queued }));
}

function decode(value: Uint8Array): QueuedNotice | undefined {
  try {
    const stored = JSON.parse(fromUtf8(value) ?? '') as Partial<QueuedNotice> & {
      version?: number;
    };
    const { version, channel, sequence, notice } = stored;
    if (version !== 1 || channel === undefined || sequence === undefined) return undefined;
    return notice === undefined ? undefined : { channel, sequence, notice };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
