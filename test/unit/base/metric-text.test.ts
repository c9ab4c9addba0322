import { expect, it } from 'vitest';
import { counter, gauge, metricText } from '../../../src/base/metric-text.ts';

it('writes names, kinds and values, and escapes what would end a label', () => {
  const labels = { dataset: 'a "b"\\c\nd' };
  const families = [
    gauge('age_seconds', 'How old.', [{ labels, value: 1.5 }]),
    counter('runs_total', 'Runs\nso far.', 3),
  ];
  expect(metricText(families)).toBe(
    [
      '# HELP age_seconds How old.',
      '# TYPE age_seconds gauge',
      'age_seconds{dataset="a \\"b\\"\\\\c\\nd"} 1.5',
      '# HELP runs_total Runs\\nso far.',
      '# TYPE runs_total counter',
      'runs_total 3',
      '',
    ].join('\n'),
  );
});

it('says nothing of what is not known', () => {
  expect(metricText([gauge('free_bytes', 'Room.', undefined)])).toBe('');
});
