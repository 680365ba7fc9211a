import { definitionOf, listed, type CommandDefinition, type ListedCommand } from '../cli/command.js';

/** Every command, in the order of the help. A new one is a folder and a line here. */
export const commands: readonly ListedCommand[] = [
  listed('run', 'back up every selected volume', () => import('./run/index.js')),
  listed(
    'list',
    'show every claim with its verdict, the reason, its kind and its last backup',
    () => import('./list/index.js'),
  ),
  listed(
    'status',
    'show how old the last backup of each claim is, what failed, and what is not covered',
    () => import('./status/index.js'),
  ),
  listed(
    'report <FILE>',
    'write one HTML page on what is backed up, how old, how large, proven or not',
    () => import('./report/index.js'),
  ),
  listed(
    'doctor',
    'check everything that `run` needs, and say how to mend what is missing',
    () => import('./doctor/index.js'),
  ),
  listed(
    'cleanup',
    'remove what crashed runs of this installation left in Ceph and on this node',
    () => import('./cleanup/index.js'),
  ),
  listed(
    'snapshots [NAMESPACE/PVC]',
    'show what the repository holds, by claim; needs neither Kubernetes nor Ceph',
    () => import('./snapshots/index.js'),
  ),
  listed(
    'ls <NAMESPACE/PVC> [PATH]',
    'list what is in a backup, or the versions of a path over time',
    () => import('./ls/index.js'),
  ),
  listed(
    'open <NAMESPACE/PVC> <DIRECTORY>',
    'show a backup at an empty directory, read-only, until Ctrl-C',
    () => import('./open/index.js'),
  ),
  listed(
    'restore [NAMESPACE/PVC]',
    'bring a backup back: to an image, a claim, a directory or a file',
    () => import('./restore/index.js'),
  ),
  listed(
    'manifests <NAMESPACE/PVC>',
    'print the saved PVC, and a static PV for its restored volume, ready for `kubectl apply`',
    () => import('./manifests/index.js'),
  ),
  listed(
    'prune',
    'forget old backups by the rules given, claim by claim, and free their space',
    () => import('./prune/index.js'),
  ),
  listed(
    'verify [NAMESPACE/PVC...]',
    'prove that backups restore: read them back, all of each, and check what comes',
    () => import('./verify/index.js'),
  ),
  listed(
    'completion <bash|zsh|fish>',
    'print a script that completes command lines: source <(cephbackup completion bash)',
    async () => ({ command: (await import('./completion/index.js')).completionCommand(allCommands) }),
  ),
];

/** What is known of every command. */
export async function allCommands(): Promise<CommandDefinition[]> {
  const all: CommandDefinition[] = [];
  for (const command of commands) all.push(await definitionOf(command));
  return all;
}
