/** The part of the agent's API that is about numbers. */
export interface MetricsApi {
  /** In the text format of Prometheus. */
  metrics(): Promise<{ text: string }>;
}
