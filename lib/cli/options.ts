import type { Parser } from './values.js';

/** One option: its flag, its environment variable `CEPHBACKUP_<OPTION>` and what it accepts. */
export interface OptionDefinition<T> {
  flag: string;
  /** Short flag, e.g. `-o`. */
  short?: string;
  /** Placeholder of the value in the help; none for a boolean. */
  placeholder?: string;
  description: string;
  parse: Parser<T>;
  /** Its value is not quoted where it cannot be used. */
  secret?: true;
  /** May be repeated; the environment variable is comma-separated. */
  repeated?: true;
}

export type Definitions = Record<string, OptionDefinition<unknown>>;
export type Values<D extends Definitions> = {
  [K in keyof D]: D[K] extends OptionDefinition<infer T>
    ? D[K] extends { repeated: true }
      ? T[]
      : T | null
    : never;
};

/** `--min-age` -> `CEPHBACKUP_MIN_AGE`. */
export function variableOf(flag: string): string {
  return `CEPHBACKUP_${flag.replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`;
}

export interface Resolved<D extends Definitions> {
  values: Values<D>;
  /** Everything that is wrong, each naming the option. */
  mistakes: string[];
  /** Options that are given, but wrong: their values are missing. */
  wrong: ReadonlySet<string>;
}

/** Raw texts of the command line, by option key; `true` for a boolean flag. */
export type RawOptions = Record<string, string | string[] | boolean | undefined>;

/** Flag beats environment; an empty variable counts as unset. All mistakes are collected. */
export function resolveOptions<D extends Definitions>(
  definitions: D,
  raw: RawOptions,
  env: NodeJS.ProcessEnv,
): Resolved<D> {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  const wrong = new Set<string>();
  for (const [key, definition] of Object.entries(definitions)) {
    const { texts, from } = textsOf(definition, raw[key], env[variableOf(definition.flag)]);
    const parsed = texts.flatMap((given) => {
      const result = definition.parse(given);
      if ('value' in result) return [result.value];
      wrong.add(key);
      const shown = definition.secret === true ? '' : ` ${JSON.stringify(given)}`;
      mistakes.push(`${from}${shown}: expected ${result.expected}`);
      return [];
    });
    values[key] = definition.repeated ? parsed : (parsed.at(-1) ?? null);
  }
  return { values: values as Values<D>, mistakes, wrong };
}

function textsOf(
  { flag, repeated }: OptionDefinition<unknown>,
  raw: RawOptions[string],
  variable: string | undefined,
): { texts: string[]; from: string } {
  if (raw !== undefined) {
    return { texts: Array.isArray(raw) ? raw : [String(raw)], from: flag };
  }
  if (variable === undefined || variable.trim() === '') return { texts: [], from: flag };
  const texts = repeated ? variable.split(',').map((part) => part.trim()) : [variable.trim()];
  return { texts: texts.filter((part) => part !== ''), from: variableOf(flag) };
}
