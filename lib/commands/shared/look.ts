import type { CommandContext } from '../../cli/command.js';
import type { LookTools } from '../../look/tools.js';
import { Scope } from '../../ownership/scope.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { ownProgram } from '../../tools/process/own.js';
import { childEnvironment, resticEnvironment } from '../../tools/process/environment.js';

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
