import { Command, CommanderError, Option } from 'commander';
import type { CommandDefinition, ListedCommand, Operand } from './command.js';
import { variableOf, type OptionDefinition, type RawOptions } from './options.js';
import { similar } from './similar.js';

export type CommandLine =
  | { type: 'command'; command: CommandDefinition; raw: RawOptions; operands: string[]; mistakes: string[] }
  | { type: 'help'; text: string }
  | { type: 'usage'; text: string; message: string };

/**
 * What a command line asks for. Nothing is run and nothing printed here.
 * @param commands the one that is asked for as it is defined; of the others, what is listed is enough
 * @param name as the help calls the program
 */
export function parseCommandLine(
  commands: readonly (CommandDefinition | ListedCommand)[],
  argv: readonly string[],
  version: string,
  name = 'cephbackup',
): CommandLine {
  let printed = '';
  const parsed: CommandLine[] = [];
  const program = new Command(name)
    .description('Backs up the Ceph volumes of a Kubernetes cluster into one restic repository.')
    .version(version, '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => (printed += text),
      writeErr: (text) => (printed += text),
      outputError: () => undefined,
    })
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}` });
  for (const definition of commands) {
    if (!('options' in definition)) {
      const usage = `[options] ${definition.operands}`.trimEnd();
      program.command(definition.name).summary(definition.description).usage(usage);
      continue;
    }
    const command = program
      .command(definition.name)
      .summary(definition.description)
      .description(`${definition.description}\n\n${exampleLines(definition, name)}`)
      .allowUnknownOption()
      .allowExcessArguments();
    const usage = ['[options]'];
    for (const operand of operandsOf(definition)) {
      const name = operand.most > 1 ? `${operand.name}...` : operand.name;
      usage.push(operand.least > 0 ? `<${name}>` : `[${name}]`);
      // Whether one is missing is looked at below, with everything else that may be wrong.
      command.argument(`[${name}]`, operand.description);
    }
    command.usage(usage.join(' '));
    for (const [key, option] of Object.entries(definition.options)) {
      command.addOption(commanderOption(key, option));
      if (option.placeholder === undefined) command.addOption(switchedOff(key, option));
    }
    command.action(() => {
      parsed.push(toCommandLine(definition, command, argv));
    });
  }
  try {
    program.parse(namesOutputOnly(argv) ? [] : [...argv], { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return { type: 'help', text: printed };
    if (thrown.code === 'commander.help')
      return { type: 'usage', text: printed, message: 'no command given' };
    return { type: 'usage', text: '', message: thrown.message.replace(/^error: /, '').replaceAll('\n', ' ') };
  }
  return parsed[0] ?? { type: 'usage', text: printed, message: 'no command given' };
}

/** Whether it says how to print the result of a command, and names none. */
function namesOutputOnly(argv: readonly string[]): boolean {
  return /^(?:(?:-o|--output)(?:\0[^\0]*)?|-o[^\0]+|--output=[^\0]*)$/.test(argv.join('\0'));
}

/** @param name as which the program was called */
function exampleLines({ examples }: CommandDefinition, name: string): string {
  const lines = examples.map((example) => `  ${example.replace(/\bcephbackup(?= )/, name)}`);
  return ['Examples:', ...lines].join('\n');
}

function commanderOption(key: string, definition: OptionDefinition<unknown>): Option {
  const { flag, short, placeholder, description, repeated } = definition;
  const flags =
    [short, flag].filter(Boolean).join(', ') + (placeholder === undefined ? '' : ` <${placeholder}>`);
  const option = new Option(flags, `${description} [${variableOf(flag)}]`);
  option.attributeName = () => key;
  if (repeated)
    option.argParser((value: string, previous: string[] | undefined) => [...(previous ?? []), value]);
  return option;
}

/** `--no-dry-run`: for a switch that an environment variable has switched on. */
function switchedOff(key: string, { flag }: OptionDefinition<unknown>): Option {
  const option = new Option(flag.replace(/^--/, '--no-'), `not ${flag}`).hideHelp();
  option.attributeName = () => key;
  return option;
}

function operandsOf({ operand }: CommandDefinition): Operand[] {
  const operands: Operand[] = [];
  for (let next: Operand | null | undefined = operand; next; next = next.next) operands.push(next);
  return operands;
}

function toCommandLine(
  definition: CommandDefinition,
  command: Command,
  argv: readonly string[],
): CommandLine {
  const separator = argv.indexOf('--');
  const afterSeparator = separator < 0 ? 0 : argv.length - separator - 1;
  const { args } = command;
  const isOption = (arg: string, index: number) =>
    arg.startsWith('-') && arg !== '-' && index < args.length - afterSeparator;
  const unknown = args.filter(isOption);
  const operands = args.filter((arg, index) => !isOption(arg, index));
  const expected = operandsOf(definition);
  const flags = Object.values(definition.options).flatMap(({ flag, placeholder }) =>
    placeholder === undefined ? [flag, flag.replace(/^--/, '--no-')] : [flag],
  );
  const mistakes = unknown.map((arg) => {
    const meant = similar(arg.replace(/=.*/s, ''), flags);
    return `unknown option ${JSON.stringify(arg)}${meant === null ? '' : `: did you mean ${meant}?`}`;
  });
  let rest = operands;
  for (const { most, least, name, parse } of expected) {
    const own = rest.slice(0, most);
    rest = rest.slice(most);
    for (const operand of own) {
      const parsed = parse(operand);
      if ('expected' in parsed) mistakes.push(`${JSON.stringify(operand)}: expected ${parsed.expected}`);
    }
    if (own.length < least) mistakes.push(`${name} is missing`);
  }
  // The value of an unknown option looks like an operand: naming the option is enough.
  if (rest.length > 0 && unknown.length === 0) mistakes.push(`unexpected operand ${JSON.stringify(rest[0])}`);
  return { type: 'command', command: definition, raw: command.opts<RawOptions>(), operands, mistakes };
}
