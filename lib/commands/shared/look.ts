import type { CommandContext } from '../../cli/command.js';
import type { LookTools } from '../../look/tools.js';
import type { Backup } from '../../repository/claims.js';
import { Scope } from '../../ownership/scope.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { ownProgram } from '../../tools/process/own.js';
import { childEnvironment, resticEnvironment } from '../../tools/process/environment.js';

/** The command that shows this very backup, and not the newest one. */
export function openCommand({ namespace, pvc, id }: Backup): string {
  return `mkdir look && cephbackup open ${namespace}/${pvc} look --snapshot ${id.slice(0, 8)}`;
}

export function openLvmCommand({ namespace, pvc }: Backup): string {
  return `cephbackup open ${namespace}/${pvc} DIRECTORY --lvm`;
}

export function lookTools(context: CommandContext<unknown>): LookTools {
  const { exec, env, hostname, log, signal } = context;
  const scope = new Scope(hostname, log);
  return {
    exec,
    startDaemon,
    env: childEnvironment(env),
    resticEnv: resticEnvironment(env),
    program: ownProgram,
    scope,
    signal,
    log,
  };
}
