import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions, CommandPatience, CommandResult } from '../process/exec.js';
import { repositoryError } from './errors.js';
import type { Restic } from './restic.js';

export interface PruneOptions {
  /** As restic takes it: bytes, `5%` or `unlimited`. */
  maxUnused: string | null;
  maxRepackBytes: number | null;
  repackSmall: boolean;
}

/** What `restic prune` says of its work, rounded to a thousandth of the unit that it prints; null: it did not say. */
export interface PruneStatistics {
  /** Bytes. */
  freed: number | null;
  /** Bytes that the repository's data then has. */
  remaining: number | null;
}

export type Options = Partial<CommandOptions>;

/** Pruning reads the whole index and may rewrite much of a large repository. */
const deadlineMs = 7 * 24 * 3_600_000;
/** Time to finish what is being written, and to remove the lock. */
const killGraceMs = 60_000;
/** What is forgotten, or pruned, already is passed over the next time. restic's own attempts go on as long as it likes. */
const mayBeRepeated: CommandPatience = { ownRetries: true };
/** One argument has 65 bytes, and Linux takes 2 MB of them. */
const mostIds = 10_000;

/**
 * Forgets exactly these snapshots, each by its full id.
 * @throws CephbackupError REPOSITORY_…, RESTIC_FAILED
 */
export async function forgetSnapshots(
  restic: Restic,
  ids: readonly string[],
  options: Options,
): Promise<void> {
  for (let at = 0; at < ids.length; at += mostIds) {
    const args = ['forget', restic.retryLock, '--', ...ids.slice(at, at + mostIds)];
    const result = await restic.limited(args, {
      deadlineMs,
      killGraceMs,
      patience: mayBeRepeated,
      ...options,
    });
    if (result.exitCode !== 0) throw pruneError('restic forget', result);
  }
}

/**
 * Removes what no snapshot needs.
 * @param onPhase is told what restic does next
 * @throws CephbackupError REPOSITORY_…, RESTIC_FAILED
 */
export async function pruneRepository(
  restic: Restic,
  pruning: PruneOptions,
  options: Options & { onPhase?: (text: string) => void },
): Promise<PruneStatistics> {
  const done = await prune(restic, ['prune', restic.retryLock, ...pruneArguments(pruning)], options);
  if (done.remaining !== null) return done;
  throw new CephbackupError(
    'COMMAND_OUTPUT_INVALID',
    'restic prune: exit code 0, but it does not say what it left',
  );
}

/** What `pruneRepository` would free once these snapshots are forgotten; takes no lock and touches nothing. */
export async function estimatePrune(
  restic: Restic,
  ids: readonly string[],
  pruning: PruneOptions,
  options: Options,
): Promise<PruneStatistics> {
  if (ids.length > mostIds) return { freed: null, remaining: null };
  const dry = ['--dry-run', '--no-lock', ...pruneArguments(pruning)];
  return prune(
    restic,
    ids.length === 0 ? ['prune', ...dry] : ['forget', '--prune', ...dry, '--', ...ids],
    options,
  );
}

async function prune(
  restic: Restic,
  args: readonly string[],
  { onPhase, ...options }: Options & { onPhase?: (text: string) => void },
): Promise<PruneStatistics> {
  let lines: string[] = [];
  const onStdoutLine = (line: string) => {
    if (/^(to(tal)? |remaining)/.test(line)) lines.push(line);
    if (/^(finding|searching|collecting|repacking|rebuilding|removing)\b/.test(line)) onPhase?.(line);
  };
  const result = await restic.limited(args, {
    deadlineMs,
    killGraceMs,
    onStdoutLine,
    patience: mayBeRepeated,
    beforeAttempt: () => {
      lines = [];
    },
    ...options,
  });
  if (result.exitCode !== 0) throw pruneError(`restic ${args[0] ?? ''}`, result);
  return parseStatistics(lines.join('\n'));
}

const units: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** restic has no JSON for these [cmd/restic/cmd_prune.go, printPruneStats]. */
export function parseStatistics(text: string): PruneStatistics {
  const bytes = (label: string) => {
    const match = new RegExp(`^${label}:\\s+\\d+ blobs / ([\\d.]+) (\\w+)$`, 'm').exec(text);
    const unit = units[match?.[2] ?? ''];
    return unit === undefined ? null : Math.round(Number(match?.[1]) * unit);
  };
  return { freed: bytes('total prune'), remaining: bytes('remaining') };
}

function pruneArguments({ maxUnused, maxRepackBytes, repackSmall }: PruneOptions): string[] {
  return [
    ...(maxUnused === null ? [] : [`--max-unused=${maxUnused}`]),
    ...(maxRepackBytes === null ? [] : [`--max-repack-size=${maxRepackBytes}`]),
    ...(repackSmall ? ['--repack-small'] : []),
  ];
}

const refused = /403|forbidden|access ?denied|permission denied|not permitted|read-only file system/i;

function pruneError(what: string, result: CommandResult): CephbackupError {
  const error = repositoryError(what, result, 'RESTIC_FAILED');
  if (error.code !== 'RESTIC_FAILED' || !refused.test(result.stderr)) return error;
  const guidance = 'Prune needs credentials that may delete: an append-only repository lets nobody forget.';
  return new CephbackupError('RESTIC_FAILED', error.message, { guidance });
}
