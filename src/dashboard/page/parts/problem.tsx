import { Sign } from './sign.tsx';

/** What went wrong, told at once to who cannot see it. */
export function Problem({ text }: { text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p role="alert">
      <Sign tone="bad" size={16} /> {text}
    </p>
  );
}
