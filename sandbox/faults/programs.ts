import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
  type FSWatcher,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveProgram } from '../../lib/tools/process/launch.js';

/** What a faulty program does instead of, or besides, the real thing. */
export type FaultMode =
  /** Fails, and does nothing. */
  | 'fail'
  /** Does its work and then fails. */
  | 'fail-after'
  /** The same, and prints nothing of it. */
  | 'fail-unsaid'
  /** Does nothing and says that it succeeded. */
  | 'lie'
  /** Does its work, but what it prints makes no sense. */
  | 'garbage'
  /** Does its work, but only the first half of what it prints comes out. */
  | 'truncate'
  /** Does nothing, for ever, and ignores TERM. */
  | 'hang'
  /** Kills the program that started it, before it does anything. */
  | 'kill-before'
  /** Kills the program that started it while it works, `afterMs` after its own start. */
  | 'kill-during'
  /** Kills the program that started it after its work is done. */
  | 'kill-after'
  /** Does its work three seconds late. */
  | 'delay'
  /** Sends SIGTERM to the program that started it, then does its work. */
  | 'term'
  /** Does its work, then runs `command`; its exit code is that of its work. */
  | 'then';

export interface Fault {
  program: string;
  /** A shell pattern for the whole argument list, e.g. `*snap create*`. */
  when: string;
  /** Whether each star of it stands for something. */
  strict?: boolean;
  mode: FaultMode;
  /** Exit code of the failing modes. */
  exitCode?: number;
  /** What it says on stderr then. */
  stderr?: string;
  /** A line of shell, for `then`. */
  command?: string;
  /** For `kill-during`. */
  afterMs?: number;
  /** How many matching calls are let through first. */
  skip?: number;
  /** Whether later calls are let through again; `term` always does. */
  once?: boolean;
  /** How many calls it happens to, where that is more than one and not all. */
  times?: number;
}

export interface FaultyOptions {
  /** Programs that are there and not recorded: what starts the others. With these, nothing else is on PATH. */
  sealed?: readonly string[];
  /** Where its folder goes. Default: where temporary files of this process go. */
  parent?: string;
  /** Gets the signal that is meant for the program, whoever made the call. Default: who made the call gets it. */
  onSignal?: (signal: 'SIGKILL' | 'SIGTERM') => void;
}

/**
 * A folder of executables that inject faults and otherwise run the real program; put it first on PATH. `calls` tells
 * every call that came by.
 */
export class FaultyPrograms {
  readonly folder: string;
  readonly #log: string;
  readonly path: string;
  readonly #searchPath: string;
  readonly #byHand: boolean;
  readonly #sealed: boolean;
  readonly #watcher: FSWatcher | undefined;

  constructor(
    faults: readonly Fault[],
    searchPath = process.env.PATH ?? '',
    /** Programs whose calls are recorded although nothing happens to them. */
    recorded: readonly string[] = [],
    { sealed, parent = tmpdir(), onSignal }: FaultyOptions = {},
  ) {
    this.folder = mkdtempSync(path.join(parent, 'cephbackup-faults-'));
    this.#log = path.join(this.folder, 'calls');
    this.#searchPath = searchPath;
    this.path = sealed === undefined ? `${this.folder}:${searchPath}` : this.folder;
    this.#sealed = sealed !== undefined;
    this.#byHand = onSignal !== undefined;
    if (onSignal !== undefined) {
      this.#watcher = watch(this.folder, (_, name) => {
        if (name === 'SIGKILL' || name === 'SIGTERM') onSignal(name);
      });
      this.#watcher.unref();
    }
    const programs = new Set([...faults.map(({ program }) => program), ...recorded]);
    for (const program of sealed ?? []) {
      if (!programs.has(program))
        symlinkSync(resolveProgram(program, searchPath), path.join(this.folder, program));
    }
    for (const program of programs)
      this.#write(
        program,
        faults.filter((fault) => fault.program === program),
      );
  }

  /** Gives back what it took of this machine. */
  remove(): void {
    this.#watcher?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A line of shell. In a process namespace of its own nobody knows this one's numbers. */
  #send(signal: 'KILL' | 'TERM'): string {
    return this.#byHand ? `: > ${quote(path.join(this.folder, `SIG${signal}`))}` : `kill -${signal} $PPID`;
  }

  /** `program arguments…` of each call so far. */
  calls(): string[] {
    if (!existsSync(this.#log)) return [];
    return readFileSync(this.#log, 'utf8').split('\n').filter(Boolean);
  }

  /** How often something happened to a call. */
  get hits(): number {
    const file = path.join(this.folder, 'hits');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  }

  /** What `env` printed in the last call of a program. */
  environmentOf(program: string): string {
    return readFileSync(path.join(this.folder, `environment-${program}`), 'utf8');
  }

  #write(program: string, faults: readonly Fault[]): void {
    const real = resolveProgram(program, this.#searchPath);
    const cases = faults.map((fault, index) => this.#branch(fault, real, index));
    const lines = [
      '#!/bin/bash',
      `real=${quote(real)}`,
      `echo ${quote(program)} "\${*//$'\\n'/ }" >> ${quote(this.#log)}`,
      ...(this.#sealed ? [] : [`/usr/bin/env > ${quote(path.join(this.folder, `environment-${program}`))}`]),
      `all="\${*//$'\\n'/ }"`,
      ...cases,
      'exec "$real" "$@"',
    ];
    const file = path.join(this.folder, program);
    writeFileSync(file, `${lines.join('\n')}\n`);
    chmodSync(file, 0o755);
  }

  #branch({ when, strict, skip = 0, once, times, ...fault }: Fault, real: string, index: number): string {
    const most = times ?? (fault.mode === 'term' || once === true ? 1 : null);
    const until = most === null ? '' : ` && [ "$number" -le ${skip + most} ]`;
    const counter = path.join(this.folder, `count-${path.basename(real)}-${index}`);
    // Any file name in a pattern is meant as it is, but for the stars.
    const pattern = when
      .split('*')
      .map(quote)
      .join(strict === true ? '?*' : '*');
    return [
      `if [[ $all == ${pattern} ]]; then`,
      // Volumes begin together: each call has a number of its own.
      `  number=$(/usr/bin/flock ${quote(counter)} /bin/bash -c 'echo x >> "$0"; /usr/bin/wc -l < "$0"' ${quote(counter)})`,
      `  if [ "$number" -ge ${skip + 1} ]${until}; then`,
      `    echo ${index} >> ${quote(path.join(this.folder, 'hits'))}`,
      `    ${action(fault, (signal) => this.#send(signal))}`,
      '  fi',
      'fi',
    ].join('\n');
  }
}

/** What the real program is run by where it is not taken the place of: it ends with its caller all the same. */
const work = '/usr/bin/setpriv --pdeathsig KILL -- "$real" "$@"';

function action(
  {
    mode,
    exitCode = 1,
    stderr = 'injected',
    command = '',
    afterMs = 50,
  }: Omit<Fault, 'when' | 'strict' | 'skip' | 'once'>,
  send: (signal: 'KILL' | 'TERM') => string,
): string {
  const fail = `echo ${quote(stderr)} >&2; exit ${exitCode}`;
  // Whoever made the call is dead by then; and where that was not the program itself, nobody else would end this.
  const end = `exec /usr/bin/perl -e 'sleep 5; exit 1'`;
  switch (mode) {
    case 'fail':
      return fail;
    case 'fail-after':
      return `${work}; ${fail}`;
    case 'fail-unsaid':
      return `${work} >/dev/null; ${fail}`;
    case 'lie':
      return 'exit 0';
    case 'garbage':
      return `${work} > /dev/null; printf 'gar\\0bage{'; exit 0`;
    case 'truncate':
      return `all="\${0%/*}/output-$$"; ${work} > "$all"; code=$?; /usr/bin/head -c "$(($(/usr/bin/stat -c %s "$all") / 2))" "$all"; exit "$code"`;
    case 'hang':
      // One process, which dies with whoever started it; what is ignored here is ignored there, too.
      return `trap '' TERM INT; exec /bin/sleep 100000`;
    case 'kill-before':
      return `${send('KILL')}; ${end}`;
    case 'kill-during':
      return `${work} <&0 & /bin/sleep ${afterMs / 1000}; ${send('KILL')}; ${end}`;
    case 'kill-after':
      return `${work}; ${send('KILL')}; ${end}`;
    case 'then':
      return `${work}; code=$?; ${command}; exit "$code"`;
    case 'delay':
      return '/bin/sleep 3';
    case 'term':
      return `${send('TERM')}; /bin/sleep 0.3; exec "$real" "$@"`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
