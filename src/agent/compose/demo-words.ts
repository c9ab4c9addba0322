import { type Facts, overviewOf } from '../../dashboard/model/overview.ts';

/** What the overview of the dashboard says, for a terminal. */
export function demoWords(site: string, facts: Facts): string {
  const { verdict, explanation, answers, tasks } = overviewOf(facts);
  const lines = [
    '',
    `What ${site} says now, in the words of its dashboard:`,
    '',
    `  Is my data safe?    ${verdict} ${explanation}`,
    ...answers.map(({ question, answer }) => `  ${question.padEnd(18)}  ${answer}`),
    '  What should I do?',
    ...tasks.flatMap(({ text, command }, i) => [
      `    ${i + 1}. ${text}`,
      ...(command === undefined ? [] : [`         ${command}`]),
    ]),
  ];
  if (tasks.length === 0) lines.push('    Nothing.');
  return lines.join('\n');
}
