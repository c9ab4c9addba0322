/** The part of the agent's API that is about replacing a control log whose majority is lost. */
export interface DecreeApi {
  /**
   * Looks at the logs of all members that answer, and writes down what operators would have to sign. `voters`:
   * names; `noticeMs`: at least the policy's, which holds when it is left out.
   * @throws not-found | not-permitted | usage
   */
  prepareDecree(request: {
    voters: string[];
    reason: string;
    noticeMs?: number;
  }): Promise<DecreeDraft>;
  /**
   * Announces a signed decree (base64 of an Envelope) that this host has prepared. It takes effect when its
   * notice has passed. @throws not-found (prepared elsewhere) | not-permitted | bad-signature
   */
  announceDecree(request: { envelope: string }): Promise<DecreeReport>;
  /** What was announced here and waits. */
  decree(): Promise<{ pending?: DecreeReport }>;
}

export type DecreeReport = {
  generation: number;
  voters: DecreeMember[];
  abandoned: DecreeMember[];
  /** Entries of the log that it builds on. */
  logSize: number;
  reason: string;
  noticeMs: number;
  /** Until it takes effect at this host. */
  leftMs: number;
};

export type DecreeMember = { name: string; agentKey: string };

export type DecreeDraft = Omit<DecreeReport, 'leftMs'> & {
  clusterId: string;
  /** Payload of the command, base64: this is what is signed. */
  payload: string;
  /** Members whose logs were looked at, and those that did not answer. */
  asked: DecreeMember[];
  silent: DecreeMember[];
};
