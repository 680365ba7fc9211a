import type { CommandDefinition } from '../../cli/command.js';
import type { OptionDefinition } from '../../cli/options.js';

/** What can follow an option: nothing (it is a switch), one of some words, a name in the file system, or anything. */
export type Value = { type: 'none' | 'file' | 'directory' | 'any' } | { type: 'words'; words: string[] };

export interface OptionWords {
  /** E.g. `--output`. */
  long: string;
  /** E.g. `-o`. */
  short: string | null;
  description: string;
  value: Value;
  repeated: boolean;
}

export interface CommandWords {
  name: string;
  description: string;
  options: OptionWords[];
  /** What its operands can be; none where nothing can be suggested. */
  operands: string[];
}

/** Everything that can be typed: from the same definitions that the command line is read by. */
export function commandWords(commands: readonly CommandDefinition[]): CommandWords[] {
  const described = commands.map(({ name, description, options, operand }) => ({
    name,
    description,
    options: [...Object.values(options).map(optionWords), help],
    operands: alternatives(operand?.name ?? ''),
  }));
  const names = commands.map(({ name }) => name);
  const self = { name: 'help', description: 'explain a command', options: [], operands: names };
  return [...described, self];
}

const help: OptionWords = {
  long: '--help',
  short: '-h',
  description: 'explain this command',
  value: { type: 'none' },
  repeated: false,
};

function optionWords(definition: OptionDefinition<unknown>): OptionWords {
  const { flag, short = null, description, placeholder, repeated = false } = definition;
  return { long: flag, short, description, value: valueOf(placeholder), repeated };
}

function valueOf(placeholder: string | undefined): Value {
  if (placeholder === undefined) return { type: 'none' };
  if (placeholder === 'FILE' || placeholder === 'PATH') return { type: 'file' };
  if (placeholder === 'DIR') return { type: 'directory' };
  const words = alternatives(placeholder);
  return words.length > 0 ? { type: 'words', words } : { type: 'any' };
}

/** `table|json`: what is written small is meant as it is. */
function alternatives(placeholder: string): string[] {
  return /^[a-z0-9]+(\|[a-z0-9]+)+$/.test(placeholder) ? placeholder.split('|') : [];
}
