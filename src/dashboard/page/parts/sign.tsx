import type { Tone } from '../../model/words.ts';

const paths: Record<Tone, string> = {
  good: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 6v8M12 17.6v.4',
  bad: 'M7 7l10 10M17 7L7 17',
  idle: 'M6 12h12',
};

const words: Record<Tone, string> = {
  good: 'well',
  warn: 'attention',
  bad: 'danger',
  idle: 'idle',
};

/** A sign for how something stands, with its word for who cannot see it. */
export function Sign({ tone, size = 20 }: { tone: Tone; size?: number }) {
  return (
    <svg
      class={`sign ${tone}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      role="img"
      aria-label={words[tone]}
    >
      <circle cx="12" cy="12" r="11" />
      <path d={paths[tone]} />
    </svg>
  );
}
