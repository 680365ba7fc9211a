import type { CommandWords, OptionWords, Value } from './words.js';

/** A script for fish 3. */
export function fishCompletion(commands: readonly CommandWords[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const none = quote(`not __fish_seen_subcommand_from ${names}`);
  const lines = commands.flatMap(({ name, description, options, operands }) => {
    const seen = quote(`__fish_seen_subcommand_from ${name}`);
    return [
      `complete -c cephbackup -n ${none} -a ${name} -d ${quote(description)}`,
      ...options.map((option) => `complete -c cephbackup -n ${seen} ${flags(option)}`),
      ...(operands.length === 0 ? [] : [`complete -c cephbackup -n ${seen} -a ${quote(operands.join(' '))}`]),
    ];
  });
  return `# fish completion of cephbackup: cephbackup completion fish | source
complete -c cephbackup -f
complete -c cephbackup -n ${none} -l help -d explain
complete -c cephbackup -n ${none} -l version -d 'print the version'
${lines.join('\n')}
complete -c kubectl-cephbackup -w cephbackup
`;
}

function flags({ long, short, description, value }: OptionWords): string {
  const names = `-l ${long.slice(2)}${short === null ? '' : ` -s ${short.slice(1)}`}`;
  return `${names}${parameter(value)} -d ${quote(description)}`;
}

function parameter(value: Value): string {
  switch (value.type) {
    case 'none':
      return '';
    case 'words':
      return ` -x -a ${quote(value.words.join(' '))}`;
    case 'file':
      return ' -r -F';
    case 'directory':
      return ` -x -a '(__fish_complete_directories)'`;
    case 'any':
      return ' -x';
  }
}

/** Within single quotes fish knows two escapes [fish manual, "Quotes"]. */
function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
