/** The part of the agent's API that is about what people are told. */
export interface AlertApi {
  /** What this agent has told people, newest last. */
  alerts(): Promise<AlertReport[]>;
  /**
   * Ends one by hand. `id`: the beginning of its id.
   * @throws HoldfastError not-found | ambiguous | usage, for one that clears itself
   */
  clearAlert(request: { id: string }): Promise<AlertReport>;
  /** How people hear of alarms, and how that does. */
  channels(): Promise<ChannelReport[]>;
  /** Sends a test by each channel, and waits for how that ends. */
  testChannels(): Promise<ChannelTest[]>;
}

export type AlertReport = {
  /** 12 hexadecimal digits; the same when it comes again. */
  id: string;
  /** One word for programs. */
  kind: string;
  subject: string;
  /** One sentence for people, with the next command. */
  text: string;
  sinceMs: number;
  /** It is over. Undefined: it stands. */
  clearedMs?: number;
  /** It ends when the trouble does; otherwise a person clears it. */
  clearsItself: boolean;
  /** Path of the page that says what to do. */
  runbook?: string;
  facts: Record<string, string>;
};

export type ChannelReport = {
  channel: string;
  /** Where it leads: a program, a host, addresses. */
  target: string;
  /** Notices that are still to be sent. */
  waiting: number;
  /** Since this agent has started. */
  sent: number;
  givenUp: number;
  /** Why the newest attempt did not succeed. */
  problem?: string;
};

export type ChannelTest = { channel: string; target: string; isSent: boolean; problem?: string };
