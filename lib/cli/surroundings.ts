import { setMaxListeners } from 'node:events';
import { Writable } from 'node:stream';
import type { CommandContext } from './command.js';
import { CephbackupError } from '../errors/error.js';
import { repositorySecrets } from '../repository/configuration.js';
import { createLogger, type Logger, type LogLevel } from '../log/logger.js';
import { liveView, logView, type ProgressView } from '../log/progress/view.js';
import { Redactor } from '../log/redactor.js';
import { signalCodes, type EndingSignal } from '../errors/exit-code.js';
import { childEnvironment, secretValues } from '../tools/process/environment.js';
import { createExec } from '../tools/process/exec.js';
import { defaultPatience, patientExec } from '../tools/process/patient.js';
import { removeAbandonedPipes } from '../tools/process/pipe.js';
import { endingInTime } from '../tools/process/unwinding.js';
import { Waits } from '../waiting/waits.js';
import type { Start } from './main.js';
import { variableOf } from './options.js';
import { unlimitedMs } from '../waiting/deadline.js';
import { within } from '../waiting/within.js';

export interface Surroundings {
  context: Omit<CommandContext<unknown>, 'options' | 'operands'>;
  log: Logger;
  redactor: Redactor;
  endedBy: () => EndingSignal | null;
  /** Sets the limit of the whole command, milliseconds. */
  limit(milliseconds: number | null): void;
  /** Sets how long what passes by itself is tried again, milliseconds (null: the default); until then nothing is. */
  wait(milliseconds: number | null): void;
  /** Begins to show what is being worked on. */
  show(): void;
  /** Ends that: what is printed next must not be drawn over. */
  hide(): void;
  /** Resolves when everything that was logged is on its way out. */
  close(): Promise<void>;
}

/** Logger, secrets, signals and tools of one start of the program. */
export async function surroundings(start: Start): Promise<Surroundings> {
  const redactor = new Redactor();
  for (const secret of [...secretValues(start.env), ...repositorySecrets(start.env)]) redactor.add(secret);
  const live = start.stderr.isTTY && setting(start, 'log-format') !== 'json';
  const screen = live ? await liveScreen(start.stderr) : null;
  const { log, flush } = createLogger({
    // The live view shows the steps already.
    level: logLevel(setting(start, 'log-level') ?? (live ? 'warn' : 'info')),
    format: setting(start, 'log-format') === 'json' ? 'json' : 'text',
    redactor,
    stream: screen?.log ?? start.stderr,
  });
  const abort = new AbortController();
  // Every command that runs listens.
  setMaxListeners(0, abort.signal);
  let endedBy: EndingSignal | null = null;
  start.onSignal((signal) => {
    // Whoever presses Ctrl-C twice does not want to wait; what is left is swept by the next run.
    if (endedBy !== null && signal === 'SIGINT') process.exit(signalCodes[signal]);
    if (endedBy !== null) return;
    endedBy = signal;
    log.warn(`${signal}: no new work; undoing what is in progress`);
    abort.abort(new CephbackupError('CANCELLED', `stopped by ${signal}`));
  });
  let timer: NodeJS.Timeout | undefined;
  let progress: ProgressView | null = null;
  const waits = new Waits(log);
  let patienceMs = 0;
  const commands = new Set<Promise<unknown>>();
  const once = createExec({ env: childEnvironment(start.env), log, redactor });
  const patient = patientExec(once, waits, () => ({ ...defaultPatience, patienceMs }));
  const exec = endingInTime(patient, abort.signal);
  const view = () => (progress ??= screen === null ? logView(log) : liveView(screen.draw, 'working'));
  return {
    log,
    redactor,
    endedBy: () => endedBy,
    limit: (milliseconds) => {
      if (milliseconds === null || milliseconds === 0) return;
      const error = new CephbackupError('RUN_TIMEOUT', `not finished after ${milliseconds / 1000} s`);
      // What is longer than a timer can be, 24.8 days, is longer than any command takes.
      timer = setTimeout(
        () => {
          abort.abort(error);
        },
        Math.min(milliseconds, unlimitedMs),
      );
    },
    wait: (milliseconds) => {
      patienceMs = milliseconds ?? defaultPatience.patienceMs;
    },
    show: view,
    hide: () => progress?.close(),
    close: async () => {
      clearTimeout(timer);
      progress?.close();
      // Who still works beside what has failed would be killed with this program, and restic leave its lock.
      abort.abort(new CephbackupError('CANCELLED', 'the command has ended'));
      await within(Promise.allSettled(commands), endingMs, () => undefined);
      // Of processes below this one that were ended, and of programs that were killed before.
      removeAbandonedPipes(start.env.TMPDIR);
      await flush();
    },
    context: {
      env: start.env,
      stdin: start.stdin,
      hostname: start.hostname,
      root: process.geteuid?.() === 0,
      signal: abort.signal,
      endedBy: () => endedBy,
      clock: () => Date.now(),
      log,
      redactor,
      exec: (...command) => {
        const running = exec(...command);
        commands.add(running);
        const end = () => commands.delete(running);
        running.then(end, end);
        return running;
      },
      waits,
      tell: (text) => {
        if (screen === null) for (const line of text.split('\n')) log.info(line);
        else screen.log.write(`${redactor.redact(text)}\n`);
      },
      progress: view,
    },
  };
}

/** A little longer than restic gets to end by itself. */
const endingMs = 15_000;

/** Logging starts before options are resolved, so that mistakes in them can be logged. */
function setting({ argv, env }: Start, name: string): string | undefined {
  const flag = `--${name}`;
  const at = argv.lastIndexOf(flag);
  const joined = argv.findLast((arg) => arg.startsWith(`${flag}=`))?.slice(flag.length + 1);
  return joined ?? (at < 0 ? undefined : argv[at + 1]) ?? env[variableOf(flag)]?.trim();
}

function logLevel(given: string): LogLevel {
  return (['debug', 'info', 'warn', 'error'] as const).find((level) => level === given) ?? 'info';
}

interface Screen {
  draw: (text: string) => void;
  log: Writable;
}

/** A view redrawn in place on a terminal, with log lines above it. */
async function liveScreen(stream: NodeJS.WriteStream): Promise<Screen> {
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(stream);
  let drawn = '';
  const draw = (text: string) => {
    drawn = text;
    if (text === '') update.clear();
    else update(text);
  };
  const log = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      update.clear();
      stream.write(chunk);
      if (drawn !== '') update(drawn);
      done();
    },
  });
  return { draw, log };
}
