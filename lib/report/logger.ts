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

/** One line per message on `stream`; winston is loaded here, and only here, because it costs 50 ms. */
export async function createLogger(options: LogOptions): Promise<Logger> {
  const winston = await import('winston');
  const { redactor } = options;
  const clean = (value: Fields[string]): Fields[string] =>
    typeof value === 'string' ? redactor.redact(value) : value;
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
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      options.format === 'json' ? winston.format.json() : text,
    ),
    // winston's own type declares a subclass that is none.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    transports: [new winston.transports.Stream({ stream: options.stream, eol: '\n' })],
  });
  const bind = (bound: Fields): Logger => {
    const at =
      (level: LogLevel) =>
      (message: string, fields: Fields = {}) => {
        const all = Object.entries({ ...bound, ...fields }).map(
          ([key, value]) => [key, clean(value)] as const,
        );
        backend.log(level, redactor.redact(message), Object.fromEntries(all));
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => bind({ ...bound, ...fields }),
    };
  };
  return bind({});
}

/** A logger that drops everything, for code that runs without one. */
export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silent,
};
