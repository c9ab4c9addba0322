import { HoldfastError } from '../core/errors.ts';

/** How a host came to be no member any more. */
export type ExpulsionReport = {
  generation: number;
  /** Of the entry in the control log. */
  index: number;
  reason: string;
  /** By the operators' clock. */
  timeMs: number;
  /** Names of those who have signed it. */
  operators: string[];
  /** Set when this host cannot prove it: the member that says so. */
  toldBy?: string;
  /** One sentence. */
  words: string;
};

/** Nothing that this host does for the cluster counts any more. */
export function expelled({ words, generation, index, timeMs }: ExpulsionReport): HoldfastError {
  return new HoldfastError('not-permitted', `${words}. Its members refuse it for good`, {
    next: 'what it has backed up stays, and restores with the kit: holdfast restore --help; to take part again it joins under another name, into an empty state directory: holdfast join --code-file FILE',
    details: { generation, index, timeMs },
  });
}
