import type { Command } from '../commands/context.js';
import {
  cleanupOptions,
  completionOptions,
  doctorOptions,
  listOptions,
  manifestsOptions,
  type metricsOptions,
  pruneOptions,
  restoreOptions,
  runOptions,
  snapshotsOptions,
  statusOptions,
  verifyOptions,
  type Definitions,
  type Values,
} from './options.js';
import { claimName, oneOf, type Parser } from './values.js';

export interface CommandDefinition {
  name: string;
  description: string;
  options: Definitions;
  operand: Operand | null;
  /** Whether restic's configuration is checked before the command starts. */
  repository(values: Record<string, unknown>): boolean;
  /** What is wrong beyond each option by itself. */
  check(values: Record<string, unknown>, env: NodeJS.ProcessEnv): Promise<string[]>;
  /** Loads the code of a command only when it is used: `--help` must be quick. */
  load(): Promise<Command<never>>;
}

export interface Operand {
  name: string;
  description: string;
  most: number;
  least: number;
  parse: Parser<unknown>;
}

const claim = { name: 'NAMESPACE/PVC', description: 'a claim', parse: claimName };

function define<D extends Definitions>(
  definition: Omit<CommandDefinition, 'options' | 'load' | 'operand' | 'repository' | 'check'> & {
    options: D;
    operand?: Operand;
    repository?: (values: Values<D>) => boolean;
    check?: (values: Values<D>, env: NodeJS.ProcessEnv) => Promise<string[]>;
    load: () => Promise<Command<Values<D>>>;
  },
): CommandDefinition {
  const { repository = () => false, operand = null, check = () => Promise.resolve([]) } = definition;
  return {
    ...definition,
    operand,
    repository: (values) => repository(values as Values<D>),
    check: (values, env) => check(values as Values<D>, env),
  };
}

/** Also these few lines are loaded only for the commands that need them. */
async function withMetrics<O extends Values<typeof metricsOptions>>(
  name: string,
  command: Command<O>,
): Promise<Command<O>> {
  return (await import('../commands/metrics.js')).withMetrics(name, command);
}

/** One entry a command; its code is one file in `lib/commands`. */
export const commands: readonly CommandDefinition[] = [
  define({
    name: 'run',
    description: 'back up every selected volume',
    options: runOptions,
    repository: ({ dryRun }) => dryRun !== true,
    check: async (values, env) => {
      const { selectionMistakes, volumeMistakes } = await import('./checks.js');
      return [...selectionMistakes(values, env), ...(values.dryRun === true ? [] : volumeMistakes(values))];
    },
    load: async () => withMetrics('run', (await import('../commands/start-run.js')).startRun),
  }),
  define({
    name: 'list',
    description: 'show every claim with its verdict, the reason, its kind and its last backup',
    options: listOptions,
    check: async (values, env) => (await import('./checks.js')).selectionMistakes(values, env),
    load: async () => (await import('../commands/list.js')).list,
  }),
  define({
    name: 'status',
    description: 'show how old the last backup of each claim is, what failed, and what is not covered',
    options: statusOptions,
    repository: ({ repository }) => repository === true,
    // The shards of a run are no concern of a status, which is of all claims.
    check: async (values) =>
      (await import('./checks.js')).selectionMistakes({ ...values, minAge: null, shard: null }, {}),
    load: async () => (await import('../commands/status.js')).status,
  }),
  define({
    name: 'doctor',
    description: 'check everything that `run` needs, and say how to mend what is missing',
    options: doctorOptions,
    check: async (values, env) => (await import('./checks.js')).selectionMistakes(values, env),
    load: async () => (await import('../commands/doctor.js')).doctor,
  }),
  define({
    name: 'cleanup',
    description: 'remove what crashed runs of this installation left in Ceph and on this node',
    options: cleanupOptions,
    check: async (values) => (await import('./checks.js')).volumeMistakes(values),
    load: async () => (await import('../commands/cleanup.js')).cleanup,
  }),
  define({
    name: 'snapshots',
    description: 'show what the repository holds, by claim; needs neither Kubernetes nor Ceph',
    options: snapshotsOptions,
    operand: { ...claim, least: 0, most: 1 },
    repository: () => true,
    load: async () => (await import('../commands/snapshots.js')).snapshots,
  }),
  define({
    name: 'restore',
    description: 'bring a backup back: to an image, a claim, a directory or a file',
    options: restoreOptions,
    operand: { ...claim, least: 1, most: 1 },
    repository: () => true,
    check: async (values) => {
      const { choiceMistakes, clusterMistakes, targetMistakes, volumeMistakes } = await import('./checks.js');
      return [
        ...targetMistakes(values),
        ...choiceMistakes(values),
        ...volumeMistakes(values),
        ...clusterMistakes(values),
      ];
    },
    load: async () => (await import('../commands/restore.js')).restore,
  }),
  define({
    name: 'manifests',
    description: 'print the saved PVC, and a static PV for its restored volume, ready for `kubectl apply`',
    options: manifestsOptions,
    operand: { ...claim, least: 1, most: 1 },
    repository: () => true,
    check: async (values) => (await import('./checks.js')).choiceMistakes(values),
    load: async () => (await import('../commands/manifests.js')).manifests,
  }),
  define({
    name: 'prune',
    description: 'forget old backups by the rules given, claim by claim, and free their space',
    options: pruneOptions,
    repository: () => true,
    check: async (values) => (await import('./checks.js')).pruneMistakes(values),
    load: async () => withMetrics('prune', (await import('../commands/prune.js')).prune),
  }),
  define({
    name: 'verify',
    description: 'prove that backups restore: read them back, all of each, and check what comes',
    options: verifyOptions,
    operand: { ...claim, least: 0, most: Infinity },
    repository: () => true,
    check: async (values) => {
      // Nothing else of it needs Ceph.
      if (values.drill !== true) return [];
      const { clusterMistakes, volumeMistakes } = await import('./checks.js');
      return [...volumeMistakes(values), ...clusterMistakes(values)];
    },
    load: async () => withMetrics('verify', (await import('../commands/verify.js')).verify),
  }),
  define({
    name: 'completion',
    description: 'print a script that completes command lines: source <(cephbackup completion bash)',
    options: completionOptions,
    operand: {
      name: 'bash|zsh|fish',
      description: 'the shell',
      least: 1,
      most: 1,
      parse: oneOf('bash', 'zsh', 'fish'),
    },
    load: async () => (await import('./completion.js')).completion,
  }),
];
