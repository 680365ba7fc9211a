import type { Redactor } from './redactor.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Record<string, string | number | boolean | null | undefined>;

/** What the rest of the program sees of logging: a message and flat fields, already safe to print. */
export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** A logger that adds these fields to each line. */
  with(fields: Fields): Logger;
}

export interface LogOptions {
  level: LogLevel;
  format: 'text' | 'json';
  redactor: Redactor;
  stream: NodeJS.WritableStream;
}

/** Makes control characters (newline, ESC, C1) visible: a tenant's bytes never reach a terminal as they are. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (c) => {
    if (c === '\n') return '\\n';
    if (c === '\t') return '\\t';
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

export interface LogOutput {
  log: Logger;
  /** Resolves when everything that was logged is on its way out. */
  flush: () => Promise<void>;
}

interface Line {
  level: LogLevel;
  message: string;
  fields: Fields;
}

const severity: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

/** One line per message on `stream`. winston takes 60 ms to load: that begins with the first line that is printed. */
export function createLogger(options: LogOptions): LogOutput {
  const { redactor } = options;
  const clean = (value: Fields[string]): Fields[string] =>
    typeof value === 'string' ? redactor.redact(value) : value;
  const waiting: Line[] = [];
  let print: ((line: Line) => void) | null = null;
  let loading: Promise<void> | null = null;
  const load = async () => {
    print = await printer(options);
    for (const line of waiting.splice(0)) print(line);
  };
  const bind = (bound: Fields): Logger => {
    const at =
      (level: LogLevel) =>
      (message: string, fields: Fields = {}) => {
        if (severity[level] > severity[options.level]) return;
        const all = Object.entries({ timestamp: new Date().toISOString(), ...bound, ...fields });
        const cleaned = Object.fromEntries(all.map(([key, value]) => [key, clean(value)] as const));
        const line = { level, message: redactor.redact(message), fields: cleaned };
        if (print === null) waiting.push(line);
        else print(line);
        loading ??= load();
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => bind({ ...bound, ...fields }),
    };
  };
  return {
    log: bind({}),
    flush: async () => {
      await loading;
    },
  };
}

/** winston is loaded here, and only here. */
async function printer({ level, format, stream }: LogOptions): Promise<(line: Line) => void> {
  const winston = await import('winston');
  const text = winston.format.printf(({ timestamp, level, message, code, guidance, ...fields }) => {
    const tail = Object.entries(fields)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => ` ${key}=${printable(String(value))}`)
      .join('');
    const what = `${printable(String(message))}${typeof code === 'string' ? ` [${code}]` : ''}`;
    const advice = typeof guidance === 'string' ? ` -- ${printable(guidance)}` : '';
    return `${String(timestamp)} ${level.toUpperCase().padEnd(5)} ${what}${tail}${advice}`;
  });
  const backend = winston.createLogger({
    level,
    format: format === 'json' ? winston.format.json() : text,
    // winston's own type declares a subclass that is none.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  return ({ level, message, fields }) => {
    backend.log(level, message, fields);
  };
}

/** A logger that drops everything, for code that runs without one. */
export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silent,
};
