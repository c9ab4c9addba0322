import { useCallback, useEffect, useState } from 'preact/hooks';
import { Refused } from '../api.ts';

export type Asked<T> = {
  readonly value: T | undefined;
  readonly problem: string | undefined;
  readonly isBusy: boolean;
};

const nothing = { value: undefined, problem: undefined, isBusy: false };

export function wordsOf(error: unknown): string {
  if (error instanceof Refused) {
    return error.next === undefined ? error.message : `${error.message} (next: ${error.next})`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** An answer that is asked for again whenever one of these changes; the old one stays until the new one is there. */
export function useAnswer<T>(ask: () => Promise<T>, changes: readonly unknown[]): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ ...nothing, isBusy: true });
  useEffect(() => {
    let isCurrent = true;
    const show = (part: Partial<Asked<T>>): void => {
      if (isCurrent) setAsked((before) => ({ ...before, isBusy: false, ...part }));
    };
    setAsked((before) => ({ ...before, isBusy: true }));
    ask().then(
      (value) => show({ value, problem: undefined }),
      (error: unknown) => show({ problem: wordsOf(error) }),
    );
    return () => {
      isCurrent = false;
    };
  }, changes);
  return asked;
}

/** Something that a person starts. */
export function useAction<T>(): Asked<T> & { start: (work: () => Promise<T>) => void } {
  const [asked, setAsked] = useState<Asked<T>>(nothing);
  const start = useCallback((work: () => Promise<T>) => {
    setAsked({ ...nothing, isBusy: true });
    work().then(
      (value) => setAsked({ ...nothing, value }),
      (error: unknown) => setAsked({ ...nothing, problem: wordsOf(error) }),
    );
  }, []);
  return { ...asked, start };
}
