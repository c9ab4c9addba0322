import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import type { RaftConfig } from '../raft/types.ts';

/** The newest committed configuration of the log. */
export class ConfigBook {
  #voters: readonly AgentKey[];
  #learners: readonly AgentKey[] = [];

  constructor(voters: readonly AgentKey[]) {
    this.#voters = voters;
  }

  /** Sorted. */
  get voters(): readonly AgentKey[] {
    return this.#voters;
  }

  /** Sorted. */
  get learners(): readonly AgentKey[] {
    return this.#learners;
  }

  set(config: RaftConfig): void {
    this.#voters = [...config.voters].sort();
    this.#learners = [...config.learners].sort();
  }

  image(): { voters: Uint8Array[]; learners: Uint8Array[] } {
    return { voters: this.#voters.map(idBytes), learners: this.#learners.map(idBytes) };
  }

  load(image: { readonly voters: Uint8Array[]; readonly learners: Uint8Array[] }): void {
    this.set({
      voters: image.voters.map((one) => idOf<AgentKey>(one)),
      learners: image.learners.map((one) => idOf<AgentKey>(one)),
    });
  }
}
