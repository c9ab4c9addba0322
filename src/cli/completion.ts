import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

type Node = { path: string; words: { word: string; description: string }[] };

/** A script that completes commands and options; after anything else the shell completes file names. */
export function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program, program.name());
  if (shell === 'fish') return fishScript(program);
  const cases = nodes.map(({ path, words }) => {
    const list = words.map(({ word }) => word).join(' ');
    return `    '${path}') words='${list}' ;;`;
  });
  const paths = nodes.map(({ path }) => `'${path}'`).join('|');
  return shell === 'bash' ? bashScript(cases, paths) : zshScript(cases, paths);
}

/** Every command with the words that may follow it. */
function nodesOf(command: Command, path: string): Node[] {
  const help = command.createHelp();
  const options = [...help.visibleOptions(command), ...globalOptions(command)];
  const words = [
    ...command.commands.map((sub) => ({ word: sub.name(), description: sub.description() })),
    ...options.flatMap(({ long, description }) => (long ? [{ word: long, description }] : [])),
  ];
  return [
    { path, words },
    ...command.commands.flatMap((sub) => nodesOf(sub, `${path} ${sub.name()}`)),
  ];
}

function globalOptions(command: Command): Command['options'] {
  const { parent } = command;
  if (parent === null) return [];
  return parent.parent === null ? parent.options : globalOptions(parent);
}

function bashScript(cases: string[], paths: string): string {
  return `# holdfast completion bash > /etc/bash_completion.d/holdfast
_holdfast() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='holdfast' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in ${paths}) path="$path $word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}
complete -o default -F _holdfast holdfast`;
}

function zshScript(cases: string[], paths: string): string {
  return `#compdef holdfast
# holdfast completion zsh > "\${fpath[1]}/_holdfast"
_holdfast() {
  local path_='holdfast' word words_=''
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path_ $word" in (${paths}) path_="$path_ $word" ;; esac
  done
  case "$path_" in
${cases.map((line) => line.replace(`') words=`, `') words_=`).replace(`    '`, `    ('`)).join('\n')}
  esac
  [[ -n "$words_" ]] && compadd -- \${=words_}
  _files
}
if [[ "$funcstack[1]" = _holdfast ]]; then _holdfast "$@"; else compdef _holdfast holdfast; fi`;
}

/** Each line: complete this word after these commands. */
function fishScript(program: Command): string {
  const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = ['# holdfast completion fish > ~/.config/fish/completions/holdfast.fish'];
  const optionLines = (command: Command, condition: string): void => {
    for (const option of command.createHelp().visibleOptions(command)) {
      if (option.long === undefined || option.long === null) continue;
      const short = option.short ? ` -s ${option.short.slice(1)}` : '';
      const value = option.required ? ' -r' : '';
      lines.push(
        `complete -c holdfast${condition} -l ${option.long.slice(2)}${short}${value} -d ${quote(option.description)}`,
      );
    }
  };
  const commandLines = (command: Command, path: readonly string[]): void => {
    const names = command.commands.map((sub) => sub.name()).join(' ');
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
    const isLeaf = names === '';
    const tests = isLeaf ? seen : [...seen, `not __fish_seen_subcommand_from ${names}`];
    const condition = ` -n ${quote(tests.join('; and '))}`;
    for (const sub of command.commands) {
      lines.push(
        `complete -c holdfast${condition} -f -a ${sub.name()} -d ${quote(sub.description())}`,
      );
    }
    // The program's own options may stand anywhere.
    optionLines(command, path.length === 0 ? '' : condition);
    for (const sub of command.commands) commandLines(sub, [...path, sub.name()]);
  };
  commandLines(program, []);
  return lines.join('\n');
}
