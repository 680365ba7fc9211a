import type { EpochMs } from '../log/time.js';
import type { Readable } from 'node:stream';
import type { Family } from '../metrics/family.js';
import type { Logger } from '../log/logger.js';
import type { ProgressView } from '../log/progress/view.js';
import type { Redactor } from '../log/redactor.js';
import type { EndingSignal } from '../errors/exit-code.js';
import type { Definitions, Values } from './options.js';
import type { Parser } from './values.js';
import type { Exec } from '../tools/process/exec.js';
import type { Waits } from '../waiting/waits.js';

/** Everything a command gets from outside; only `lib/cli` and `bin` know the process itself. */
export interface CommandContext<Options> {
  options: Options;
  operands: readonly string[];
  env: NodeJS.ProcessEnv;
  stdin: Readable;
  hostname: string;
  /** Whether this program runs as root. */
  root: boolean;
  /** Aborts on SIGTERM, SIGINT and at --run-timeout; its reason is a CephbackupError. */
  signal: AbortSignal;
  /** The signal that asked this program to end, if one did. */
  endedBy: () => EndingSignal | null;
  clock: () => EpochMs;
  log: Logger;
  redactor: Redactor;
  exec: Exec;
  /** What was waited for because it passes by itself. */
  waits: Waits;
  /** What the user has to see while the command works: on a terminal as it is, else in the log. */
  tell: (text: string) => void;
  /** Shows what is being worked on. */
  progress: () => ProgressView;
}

export interface CommandOutput {
  /** What `-o json` prints. */
  document: unknown;
  /**
   * What is printed otherwise; ends with a newline, or is empty. A function where it is dear to make, or fits a terminal:
   * its width in characters, null where nobody looks at one.
   */
  table: string | ((width: number | null) => string);
  exitCode: number;
  /** What `--metrics-file` and `--metrics-push` get besides the exit code. */
  metrics?: readonly Family[];
}

export type Command<Options> = (context: CommandContext<Options>) => Promise<CommandOutput>;

/** A command as the help of the program shows it. Everything else is loaded when it is used: `--help` must be quick. */
export interface ListedCommand {
  name: string;
  /** What its operands are called, e.g. `<NAMESPACE/PVC> [PATH]`. */
  operands: string;
  description: string;
  /** The `index.ts` of its folder. */
  load: () => Promise<{ command: Omit<CommandDefinition, 'name' | 'description'> }>;
}

/** @param synopsis its name, and what its operands are called */
export function listed(synopsis: string, description: string, load: ListedCommand['load']): ListedCommand {
  const [name = '', ...operands] = synopsis.split(' ');
  return { name, operands: operands.join(' '), description, load };
}

/** Everything that the command line knows of a command. */
export async function definitionOf({ name, description, load }: ListedCommand): Promise<CommandDefinition> {
  return { name, description, ...(await load()).command };
}

/** A command as the command line knows it. The code that does its work is loaded when it is about to be done. */
export interface CommandDefinition {
  name: string;
  description: string;
  /** Two command lines that work as they stand, for the beginning of the help. */
  examples: readonly [string, string];
  options: Definitions;
  operand: Operand | null;
  /** Whether it waits for what passes by itself. A command that only looks tells at once how it is now. */
  patient: boolean;
  /** Whether restic's configuration is checked before the command starts; `url`: only what restic itself might quote. */
  repository(values: Record<string, unknown>): boolean | 'url';
  /** What is wrong beyond each option by itself; `wrong`: options whose values are missing for that reason alone. */
  check(
    values: Record<string, unknown>,
    env: NodeJS.ProcessEnv,
    wrong: ReadonlySet<string>,
  ): Promise<string[]>;
  load(): Promise<Command<never>>;
}

export interface Operand {
  name: string;
  description: string;
  most: number;
  least: number;
  parse: Parser<unknown>;
  /** An operand of another kind behind it. */
  next?: Operand;
}

/** A definition whose functions get the values of its own options; its name and description are in the list. */
export function define<D extends Definitions>(
  definition: Pick<CommandDefinition, 'examples'> & {
    options: D;
    operand?: Operand;
    patient?: boolean;
    repository?: (values: Values<D>) => boolean | 'url';
    check?: (values: Values<D>, env: NodeJS.ProcessEnv, wrong: ReadonlySet<string>) => Promise<string[]>;
    load: () => Promise<Command<Values<D>>>;
  },
): Omit<CommandDefinition, 'name' | 'description'> {
  const {
    repository = () => false,
    operand = null,
    patient = false,
    check = () => Promise.resolve([]),
  } = definition;
  return {
    ...definition,
    operand,
    patient,
    repository: (values) => repository(values as Values<D>),
    check: (values, env, wrong) => check(values as Values<D>, env, wrong),
  };
}
