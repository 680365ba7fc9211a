import type { CommandWords, OptionWords, Value } from './words.js';

/** A script for bash 4.4 or newer; it needs nothing else. */
export function bashCompletion(commands: readonly CommandWords[]): string {
  const all = commands.map(({ name }) => name);
  return `# bash completion of cephbackup: source <(cephbackup completion bash)
_cephbackup() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= options= operands= index
  # bash takes --option=value for three words.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
    ${all.join(' | ')})
      command=\${COMP_WORDS[index]}
      break
      ;;
    esac
  done
  COMPREPLY=()
  case $command in
  '')
    operands=${quote(all.join(' '))}
    options='--help --version'
    ;;
${commands.map(branch).join('\n')}
  esac
  [[ $cur == -* || -z $operands ]] && operands=$options
  mapfile -t COMPREPLY < <(compgen -W "$operands" -- "$cur")
}
complete -F _cephbackup cephbackup kubectl-cephbackup
`;
}

function branch({ name, options, operands }: CommandWords): string {
  const flags = options.flatMap(names).join(' ');
  return `  ${name})
    case $prev in
${afterOptions(options).join('\n')}
    esac
    options=${quote(flags)}
    operands=${quote(operands.join(' '))}
    ;;`;
}

/** What comes after an option, each suggestion once, with all the options that it is for. */
function afterOptions(options: readonly OptionWords[]): string[] {
  const after = new Map<string, string[]>();
  for (const option of options) {
    const action = suggest(option.value);
    if (action !== null) after.set(action, [...(after.get(action) ?? []), ...names(option)]);
  }
  return [...after].map(
    ([action, flags]) => `    ${flags.join(' | ')})\n      ${action}\n      return\n      ;;`,
  );
}

function names({ long, short }: OptionWords): string[] {
  return short === null ? [long] : [short, long];
}

function suggest(value: Value): string | null {
  switch (value.type) {
    case 'none':
      return null;
    case 'words':
      return `mapfile -t COMPREPLY < <(compgen -W ${quote(value.words.join(' '))} -- "$cur")`;
    case 'file':
    case 'directory':
      return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -${value.type === 'file' ? 'f' : 'd'} -- "$cur")`;
    case 'any':
      return ':';
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
