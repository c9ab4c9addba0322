import type { Cancel } from './runtime.ts';

/** One piece of news for people, as it is sent. */
export type Notice = {
  /** The same for each attempt to send it: who receives it twice can tell. */
  readonly id: string;
  readonly state: 'raised' | 'cleared' | 'test';
  /** When it became so, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Of the alarm: one word, what it is about, one sentence with the next command. */
  readonly alarm: string;
  readonly subject: string;
  readonly text: string;
  readonly sinceMs: number;
  readonly facts: Readonly<Record<string, string>>;
  /** Path of the page that says what to do. */
  readonly runbook?: string;
  readonly cluster: { readonly id: string; readonly name: string };
  readonly agent: { readonly name: string; readonly site: string };
};

/** How one attempt ended. Failed: it may be tried again; refused: that would not help. */
export type Delivery =
  | { readonly outcome: 'sent' }
  | { readonly outcome: 'failed' | 'refused'; readonly reason: string };

/** One way by which people hear of alarms. */
export interface Messenger {
  /** For people: where it leads. */
  readonly target: string;
  /** One attempt, within the messenger's own time limit. @throws the signal's reason */
  send(notice: Notice, options: Cancel): Promise<Delivery>;
}

export type Channel = {
  /** Unique on this host, and the same after a restart: "command", "mail", "webhook 1". */
  readonly name: string;
  readonly messenger: Messenger;
};
