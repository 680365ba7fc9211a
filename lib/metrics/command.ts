import { single, type Family } from './family.js';

/** What every command says of itself, also where it failed as a whole. Times are milliseconds. */
export function commandMetrics(
  command: string,
  { started, finished, exitCode }: { started: number; finished: number; exitCode: number },
): Family[] {
  const name = `cephbackup_${command}`;
  return [
    single(`${name}_exit_code`, `Exit code of the last ${command}; 0: all is well.`, exitCode),
    single(`${name}_finished_timestamp_seconds`, `When the last ${command} ended.`, finished / 1000),
    single(`${name}_duration_seconds`, `How long the last ${command} took.`, (finished - started) / 1000),
  ];
}

/** The beginnings of the names of all metrics that a command may write. */
export const owned: Record<string, readonly string[]> = {
  run: ['cephbackup_run_', 'cephbackup_volume_', 'cephbackup_last_success_'],
  verify: ['cephbackup_verify_', 'cephbackup_last_verified_'],
  prune: ['cephbackup_prune_', 'cephbackup_repository_'],
};
