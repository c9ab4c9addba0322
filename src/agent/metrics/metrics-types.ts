/** The part of the agent's API that is about numbers. */
export interface MetricsApi {
  /** In the text format of Prometheus. */
  metrics(): Promise<{ text: string }>;
  /** What this agent has told people since it has started, newest last. */
  alerts(): Promise<AlertReport[]>;
}

export type AlertReport = {
  /** One word for programs. */
  kind: string;
  subject: string;
  /** One sentence for people, with the next command. */
  text: string;
  sinceMs: number;
  /** It is over; undefined: it is not, or it is of something that happened once. */
  clearedMs?: number;
  /** Path of the page that says what to do. */
  runbook?: string;
  facts: Record<string, string>;
};
