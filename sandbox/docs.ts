import { readFileSync, writeFileSync } from 'node:fs';
import { runOptions } from '../lib/commands/run/options.js';
import { variableOf, type OptionDefinition } from '../lib/cli/options.js';
import { catalogue } from '../lib/errors/catalogue.js';
import { exitCodes } from '../lib/errors/exit-code.js';

const errorsPage = 'docs/errors.md';
const readme = 'README.md';
const begin = '<!-- options of `run`: written by `npm run docs` -->';
const end = '<!-- end of options -->';

/** The table of docs/errors.md. */
export function errorRows(): string[] {
  return Object.entries(catalogue).map(
    ([code, { kind, guidance }]) => `| \`${code}\` | ${exitCodes[kind]} | ${guidance} |`,
  );
}

/** The table of options in the README. */
export function optionRows(): string[] {
  const definitions: OptionDefinition<unknown>[] = Object.values(runOptions);
  return [
    '| option | variable | what it does |',
    '|---|---|---|',
    ...definitions.map(({ flag, placeholder, description }) => {
      const usage = placeholder === undefined ? flag : `${flag} ${placeholder}`;
      return `| \`${usage.replaceAll('|', '\\|')}\` | \`${variableOf(flag)}\` | ${description} |`;
    }),
  ];
}

/** The README with its table of options as the code has them. @throws Error where it has no place for it */
export function readmeWithOptions(text: string): string {
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the README needs ${begin} and ${end}`);
  return `${before}${begin}\n${optionRows().join('\n')}\n${end}${after}`;
}

if (process.argv[1]?.endsWith('docs.js') === true) {
  const prose = readFileSync(errorsPage, 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('| `'));
  writeFileSync(errorsPage, `${prose.join('\n').trimEnd()}\n${errorRows().join('\n')}\n`);
  writeFileSync(readme, readmeWithOptions(readFileSync(readme, 'utf8')));
}
