import type { CommandDefinition } from '../cli/command.js';
import { cleanupCommand } from './cleanup/index.js';
import { completionCommand } from './completion/index.js';
import { doctorCommand } from './doctor/index.js';
import { listCommand } from './list/index.js';
import { lsCommand } from './ls/index.js';
import { manifestsCommand } from './manifests/index.js';
import { openCommand } from './open/index.js';
import { pruneCommand } from './prune/index.js';
import { reportCommand } from './report/index.js';
import { restoreCommand } from './restore/index.js';
import { runCommand } from './run/index.js';
import { snapshotsCommand } from './snapshots/index.js';
import { statusCommand } from './status/index.js';
import { verifyCommand } from './verify/index.js';

/** Every command, in the order of the help. A new one is a folder and a line here. */
export const commands: readonly CommandDefinition[] = [
  runCommand,
  listCommand,
  statusCommand,
  reportCommand,
  doctorCommand,
  cleanupCommand,
  snapshotsCommand,
  lsCommand,
  openCommand,
  restoreCommand,
  manifestsCommand,
  pruneCommand,
  verifyCommand,
  completionCommand(() => commands),
];
