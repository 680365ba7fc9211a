import type { Logger } from '../log/logger.js';
import type { Scope } from '../ownership/scope.js';
import type { StartDaemon } from '../tools/process/daemon.js';
import type { Environment } from '../tools/process/environment.js';
import type { Exec } from '../tools/process/exec.js';

/** What looking into a backup needs. */
export interface LookTools {
  exec: Exec;
  startDaemon: StartDaemon;
  /** Of every child but restic. */
  env: Environment;
  resticEnv: Environment;
  /** argv of this program itself. */
  program: readonly string[];
  scope: Scope;
  signal: AbortSignal;
  log: Logger;
}
