import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveProgram } from '../../lib/tools/process/exec.js';

/** What a faulty program does instead of, or besides, the real thing. */
export type FaultMode =
  /** Fails, and does nothing. */
  | 'fail'
  /** Does its work and then fails. */
  | 'fail-after'
  /** Does nothing and says that it succeeded. */
  | 'lie'
  /** Does its work, but what it prints makes no sense. */
  | 'garbage'
  /** Does nothing, for ever, and ignores TERM. */
  | 'hang'
  /** Kills the program that started it, before it does anything. */
  | 'kill-before'
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
  mode: FaultMode;
  /** Exit code of the failing modes. */
  exitCode?: number;
  /** What it says on stderr then. */
  stderr?: string;
  /** A line of shell, for `then`. */
  command?: string;
  /** How many matching calls are let through first. */
  skip?: number;
  /** Whether later calls are let through again; `term` always does. */
  once?: boolean;
}

/**
 * A folder of executables that inject faults and otherwise run the real program; put it first on PATH. `calls` tells
 * every call that came by.
 */
export class FaultyPrograms {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'cephbackup-faults-'));
  readonly #log = path.join(this.folder, 'calls');

  constructor(
    faults: readonly Fault[],
    private readonly searchPath = process.env.PATH ?? '',
    recorded: readonly string[] = [],
  ) {
    const programs = new Set([...faults.map(({ program }) => program), ...recorded]);
    for (const program of programs)
      this.#write(
        program,
        faults.filter((fault) => fault.program === program),
      );
  }

  get path(): string {
    return `${this.folder}:${this.searchPath}`;
  }

  /** `program arguments…` of each call so far. */
  calls(): string[] {
    if (!existsSync(this.#log)) return [];
    return readFileSync(this.#log, 'utf8').split('\n').filter(Boolean);
  }

  /** What `env` printed in the last call of a program. */
  environmentOf(program: string): string {
    return readFileSync(path.join(this.folder, `environment-${program}`), 'utf8');
  }

  #write(program: string, faults: readonly Fault[]): void {
    const real = resolveProgram(program, this.searchPath);
    const cases = faults.map((fault, index) => this.#branch(fault, real, index));
    const lines = [
      '#!/bin/bash',
      `real=${quote(real)}`,
      `echo ${quote(program)} "\${*//$'\\n'/ }" >> ${quote(this.#log)}`,
      `env > ${quote(path.join(this.folder, `environment-${program}`))}`,
      'all="$*"',
      ...cases,
      'exec "$real" "$@"',
    ];
    const file = path.join(this.folder, program);
    writeFileSync(file, `${lines.join('\n')}\n`);
    chmodSync(file, 0o755);
  }

  #branch(
    { when, mode, exitCode = 1, stderr = 'injected', command = '', skip = 0, once }: Fault,
    real: string,
    index: number,
  ): string {
    const counter = path.join(this.folder, `count-${path.basename(real)}-${index}`);
    // Any file name in a pattern is meant as it is, but for the stars.
    const pattern = when.split('*').map(quote).join('*');
    return [
      `if [[ $all == ${pattern} ]]; then`,
      // Volumes begin together: each call has a number of its own.
      `  number=$(flock ${quote(counter)} bash -c 'echo x >> "$0"; wc -l < "$0"' ${quote(counter)})`,
      `  if [ "$number" ${mode === 'term' || once === true ? '-eq' : '-ge'} ${skip + 1} ]; then`,
      `    ${action(mode, exitCode, stderr, command)}`,
      '  fi',
      'fi',
    ].join('\n');
  }
}

function action(mode: FaultMode, exitCode: number, stderr: string, command: string): string {
  const fail = `echo ${quote(stderr)} >&2; exit ${exitCode}`;
  switch (mode) {
    case 'fail':
      return fail;
    case 'fail-after':
      return `"$real" "$@"; ${fail}`;
    case 'lie':
      return 'exit 0';
    case 'garbage':
      return `"$real" "$@" > /dev/null; printf 'gar\\0bage{'; exit 0`;
    case 'hang':
      // One process, which dies with whoever started it; what is ignored here is ignored there, too.
      return `trap '' TERM INT; exec sleep 100000`;
    case 'kill-before':
      return `kill -KILL $PPID; exec sleep 3600`;
    case 'kill-after':
      return `"$real" "$@"; kill -KILL $PPID; exec sleep 3600`;
    case 'then':
      return `"$real" "$@"; code=$?; ${command}; exit "$code"`;
    case 'delay':
      return 'sleep 3';
    case 'term':
      return `kill -TERM $PPID; sleep 0.3; exec "$real" "$@"`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
