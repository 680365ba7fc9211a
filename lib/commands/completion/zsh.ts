import type { CommandWords, OptionWords, Value } from './words.js';

/** A script for zsh with its own completion system (`compinit`). */
export function zshCompletion(commands: readonly CommandWords[]): string {
  return `#compdef cephbackup kubectl-cephbackup
# zsh completion of cephbackup: source <(cephbackup completion zsh), or a file _cephbackup in a folder of $fpath
_cephbackup() {
  local context state line curcontext="$curcontext"
  typeset -A opt_args
  _arguments -C '(- :)--help[explain]' '(- :)--version[print the version]' '1: :->command' '*:: :->arguments'
  case $state in
  command)
    local -a commands=(
${commands.map(({ name, description }) => `      ${quote(`${name}:${description.replaceAll(':', '\\:')}`)}`).join('\n')}
    )
    _describe command commands
    ;;
  arguments)
    case $words[1] in
${commands.map(branch).join('\n')}
    esac
    ;;
  esac
}
if [[ $funcstack[1] == _cephbackup ]]; then
  _cephbackup "$@"
else
  compdef _cephbackup cephbackup kubectl-cephbackup
fi
`;
}

function branch({ name, options, operands }: CommandWords): string {
  const specs = [
    ...options.map(specification),
    operands.length === 0 ? quote('*:: :') : quote(`1: :(${operands.join(' ')})`),
  ];
  return `    ${name})\n      _arguments \\\n        ${specs.join(' \\\n        ')}\n      ;;`;
}

function specification({ long, short, description, value, repeated }: OptionWords): string {
  const text = `[${description.replace(/[[\]\\]/g, '\\$&')}]${action(value)}`;
  const flag = value.type === 'none' ? long : `${long}=`;
  const prefix = repeated ? '*' : short === null ? '' : `(${short} ${long})`;
  if (short === null) return quote(`${prefix}${flag}${text}`);
  return `${quote(prefix)}{${short}${value.type === 'none' ? '' : '+'},${flag}}${quote(text)}`;
}

function action(value: Value): string {
  switch (value.type) {
    case 'none':
      return '';
    case 'words':
      return `: :(${value.words.join(' ')})`;
    case 'file':
      return ': :_files';
    case 'directory':
      return ': :_files -/';
    case 'any':
      return ': : ';
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
