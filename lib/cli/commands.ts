import type { Command } from '../commands/context.js';
import { cleanupOptions, listOptions, runOptions, type Definitions, type Values } from './options.js';

export interface CommandDefinition {
  name: string;
  description: string;
  options: Definitions;
  operand: Operand | null;
  /** Whether restic's configuration is checked before the command starts. */
  repository(values: Record<string, unknown>): boolean;
  /** Loads the code of a command only when it is used: `--help` must be quick. */
  load(): Promise<Command<never>>;
}

export interface Operand {
  name: string;
  description: string;
  most: number;
  least: number;
}

function define<D extends Definitions>(
  definition: Omit<CommandDefinition, 'options' | 'load' | 'operand' | 'repository'> & {
    options: D;
    operand?: Operand;
    repository?: (values: Values<D>) => boolean;
    load: () => Promise<Command<Values<D>>>;
  },
): CommandDefinition {
  const { repository = () => false, operand = null } = definition;
  return { ...definition, operand, repository: (values) => repository(values as Values<D>) };
}

/** One entry a command; its code is one file in `lib/commands`. */
export const commands: readonly CommandDefinition[] = [
  define({
    name: 'run',
    description: 'back up every selected volume',
    options: runOptions,
    repository: ({ dryRun }) => dryRun !== true,
    load: async () => (await import('../commands/run.js')).run,
  }),
  define({
    name: 'list',
    description: 'show every claim with its verdict, the reason, its kind and its last backup',
    options: listOptions,
    load: async () => (await import('../commands/list.js')).list,
  }),
  define({
    name: 'cleanup',
    description: 'remove what crashed runs of this installation left in Ceph and on this node',
    options: cleanupOptions,
    load: async () => (await import('../commands/cleanup.js')).cleanup,
  }),
];
