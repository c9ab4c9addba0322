import { useState } from 'preact/hooks';

// Kept while the page is open, for all screens; it is a file's name, never the kit.
let known = '';

/** Asks where the recovery kit lies. */
export function useKitFile(): [string, () => preact.JSX.Element] {
  const [file, setFile] = useState(known);
  const change = (value: string): void => {
    known = value;
    setFile(value);
  };
  return [file, () => KitField({ file, change })];
}

function KitField({ file, change }: { file: string; change: (file: string) => void }) {
  return (
    <label class="field">
      <span>Recovery kit: path of its file on the agent's host</span>
      <input
        value={file}
        placeholder="/media/safe/recovery-kit.txt"
        onInput={({ currentTarget }) => change(currentTarget.value)}
        size={36}
        spellcheck={false}
        autocomplete="off"
      />
    </label>
  );
}
