import type { Readable } from 'node:stream';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import {
  definitionOf,
  type CommandContext,
  type CommandDefinition,
  type CommandOutput,
  type ListedCommand,
} from './command.js';
import type { Logger } from '../log/logger.js';
import { exitCodeOf, exitCodes, type EndingSignal } from '../errors/exit-code.js';
import { parseCommandLine, type CommandLine } from './program.js';
import { resolveOptions } from './options.js';
import type { Surroundings } from './surroundings.js';

/** What the program is started with: the process, or a test. */
export interface Start {
  commands: readonly ListedCommand[];
  /** What it was called as: `cephbackup`, or `kubectl cephbackup` where it is kubectl's plugin. */
  name: string;
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  version: string;
  hostname: string;
  stdin: Readable;
  stdout(text: string): Promise<void>;
  /** Of the terminal that stdout is. */
  columns?: number;
  stderr: NodeJS.WriteStream;
  /** Calls back on each SIGTERM, SIGINT or SIGHUP. */
  onSignal(listener: (signal: EndingSignal) => void): void;
}

/** The whole program; returns its exit code. Never throws. */
export async function main(start: Start): Promise<number> {
  const json = wantsJson(start);
  const commands: (CommandDefinition | ListedCommand)[] = [];
  // Loaded is what the command line names; `help restore` is about `restore`, too.
  for (const command of start.commands)
    commands.push(start.argv.includes(command.name) ? await definitionOf(command) : command);
  const line = parseCommandLine(commands, start.argv, start.version, start.name);
  if (line.type === 'help') {
    await start.stdout(line.text);
    return 0;
  }
  if (line.type === 'usage' && line.text !== '') {
    start.stderr.write(line.text);
    if (!json) return exitCodes.usage;
  }
  const { surroundings } = await import('./surroundings.js');
  const around = await surroundings(start);
  try {
    const output = line.type === 'command' ? await runCommand(start, around, line) : usage([line.message]);
    around.hide();
    await start.stdout(
      json ? `${JSON.stringify(output.document)}\n` : tableOf(output, start.columns ?? null),
    );
    return output.exitCode;
  } catch (thrown) {
    const error = asCephbackupError(thrown);
    around.hide();
    say(around.log, error);
    if (json) await start.stdout(`${around.redactor.redact(JSON.stringify({ error: error.report() }))}\n`);
    return exitCodeOf(error, around.endedBy());
  } finally {
    await around.close();
  }
}

function tableOf({ table }: CommandOutput, width: number | null): string {
  return typeof table === 'string' ? table : table(width);
}

async function runCommand(
  start: Start,
  around: Surroundings,
  { command, raw, operands, mistakes }: Extract<CommandLine, { type: 'command' }>,
): Promise<CommandOutput> {
  const resolved = resolveOptions(command.options, raw, start.env);
  const found: { code: 'USAGE' | 'REPOSITORY_URL_INVALID'; message: string }[] = [
    ...mistakes,
    ...resolved.mistakes,
    ...(await command.check(resolved.values, start.env, resolved.wrong)),
  ].map((message) => ({ code: 'USAGE', message }));
  const needed = command.repository(resolved.values);
  if (needed !== false) {
    const { repositoryMistakes, repositoryWarnings } = await import('../repository/configuration.js');
    const wrong = repositoryMistakes(start.env);
    found.push(...wrong.filter(({ code }) => needed === true || code === 'REPOSITORY_URL_INVALID'));
    // A command that looks at the URL alone judges the rest itself.
    if (needed === true) for (const warning of repositoryWarnings(start.env)) around.log.warn(warning);
  }
  const [first] = found;
  if (first !== undefined) throw configurationError(found, command.name);
  const { runTimeout, patience } = resolved.values as {
    runTimeout?: number | null;
    patience?: number | null;
  };
  around.limit(runTimeout ?? null);
  if (command.patient) around.wait(patience ?? null);
  around.show();
  const execute = await command.load();
  const context: CommandContext<unknown> = { ...around.context, options: resolved.values, operands };
  return execute(context as CommandContext<never>);
}

/** All mistakes in one error: whoever mends them should not have to find them one by one. */
function configurationError(
  found: { code: 'USAGE' | 'REPOSITORY_URL_INVALID'; message: string }[],
  command?: string,
): CephbackupError {
  const code = found.every((mistake) => mistake.code === 'REPOSITORY_URL_INVALID')
    ? 'REPOSITORY_URL_INVALID'
    : 'USAGE';
  const details =
    code === 'USAGE' && command !== undefined
      ? { guidance: `See \`cephbackup help ${command}\` for its options and examples.` }
      : {};
  return new CephbackupError(code, found.map(({ message }) => message).join('; '), details);
}

function usage(messages: string[]): never {
  throw configurationError(messages.map((message) => ({ code: 'USAGE', message })));
}

function say(log: Logger, error: CephbackupError): void {
  log.error(error.message, { code: error.code, guidance: error.guidance });
  if (error.code === 'INTERNAL' && error.cause instanceof Error) log.error(error.cause.stack ?? '');
}

/** Whether stdout is promised to be one JSON document, also where the command line is wrong. */
function wantsJson({ argv, env }: Start): boolean {
  const options = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length);
  const given = options.flatMap((arg, index) => {
    if (arg === '-o' || arg === '--output') return options[index + 1] ?? [];
    return /^(?:-o=?|--output=)(.+)$/s.exec(arg)?.[1] ?? [];
  });
  return (given.at(-1) ?? env.CEPHBACKUP_OUTPUT?.trim()) === 'json';
}
