import { useState } from 'preact/hooks';

/** A command to type, and a button that copies it. No line of it ends at the dash of an option. */
export function Command({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // Not allowed here: the text can be marked by hand.
    }
  };
  return (
    <span class="command">
      <code>
        {text.split(' ').flatMap((word, index) => [index === 0 ? '' : ' ', <span>{word}</span>])}
      </code>
      <button type="button" onClick={() => void copy()} aria-label={`Copy: ${text}`}>
        {isCopied ? 'copied' : 'copy'}
      </button>
    </span>
  );
}
