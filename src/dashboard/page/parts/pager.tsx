/** Which of many are shown, and the others. `page`: from 0. */
export function Pager(props: {
  page: number;
  size: number;
  total: number;
  change: (page: number) => void;
}) {
  const { page, size, total, change } = props;
  if (total <= size) return null;
  const last = Math.ceil(total / size) - 1;
  const first = page * size + 1;
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled={page === 0} onClick={() => change(page - 1)}>
        Newer
      </button>
      <label>
        <span class="hidden">From which on</span>
        <input
          type="number"
          min={1}
          max={total}
          step={size}
          value={first}
          onChange={({ currentTarget }) => {
            const wanted = Math.floor((currentTarget.valueAsNumber - 1) / size);
            if (Number.isFinite(wanted)) change(Math.max(0, Math.min(last, wanted)));
          }}
        />
      </label>
      <span>
        to {Math.min(total, first + size - 1)} of {total}
      </span>
      <button type="button" disabled={page >= last} onClick={() => change(page + 1)}>
        Older
      </button>
      <button type="button" disabled={page >= last} onClick={() => change(last)}>
        Oldest
      </button>
    </nav>
  );
}
