/** Commands with subcommands; of `restore` the word after it may be a snapshot. */
const groups =
  'approve|audit|config|coordinator(?: decree)?|dataset|drill|hold|key|layout|operator|peer|policy|quarantine|tripwire';
const restores = 'plan|run|status|resume|cancel|rollback|request|grants?';
/** They mean no state directory, or one that is still to be made. */
const elsewhere = 'join|init|demo|agent|version|completion|operator key|config init';

const ownCommand = new RegExp(
  `\\bholdfast (?!(?:${elsewhere})\\b)(?:(?:${groups}) [a-z-]+|restore(?: (?:${restores})\\b)?|[a-z][a-z-]*)(?![a-z-]| --help)`,
  'g',
);

/**
 * The commands in a sentence, so that they mean the state directory that was typed: agents and services do not
 * know how their client was called. `stateFlag`: "" or " -s DIR". What is to be run at another host stays as it is.
 */
export function withStateFlag(text: string, stateFlag: string): string {
  const isElsewhere = /(^|[;:,] )on \S+: /.test(text);
  if (stateFlag === '' || isElsewhere || / (-s|--state)\b/.test(text)) return text;
  return text.replace(ownCommand, (command) => `${command}${stateFlag}`);
}
