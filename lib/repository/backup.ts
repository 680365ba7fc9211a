import type { EpochMs } from '../log/time.js';
import { CephbackupError } from '../errors/error.js';
import type { CommandOptions, CommandPatience } from '../tools/process/exec.js';
import { isTemporaryFull, repositoryError } from '../tools/restic/errors.js';
import type { BackupSummary, Restic } from '../tools/restic/restic.js';
import { count, parseMessage } from '../tools/restic/messages.js';
import { readFailure, type ReadFailure } from './read-failure.js';
import { parseProducerError } from './producer-error.js';
import { excludeArguments, type ExcludeArguments, type ExcludeRules } from './excludes.js';
import type { BackupSource } from './source.js';

export interface BackupRequest {
  source: BackupSource;
  host: string;
  tags: readonly string[];
  /** Lines that restic keeps in the snapshot's own file (field `excludes`), where its tables do not show them. */
  notes?: readonly string[];
  /** Point in time, whole seconds. */
  time: EpochMs;
  /** Full id of the parent snapshot; without one everything is read. */
  parent: string | null;
  /** What is left out of a filesystem, and a folder for temporary files; default: nothing. */
  excludes?: { rules: ExcludeRules; temporary: string };
  deadlineMs: number;
  /** For what may be read again; default: this is the only attempt. */
  patience?: CommandPatience;
  signal: AbortSignal;
  /** Called now and then. */
  onProgress: (progress: BackupProgress) => void;
}

export interface BackupProgress {
  files: number;
  bytes: number;
  /** Of the whole source; null until restic has counted it. */
  totalBytes: number | null;
}

/** Thrown by `backupSource` where restic may have saved a snapshot that is no backup. */
export class BackupError extends CephbackupError {
  constructor(
    error: CephbackupError,
    /** Its id, where restic told it. */
    readonly savedSnapshot: string | null,
  ) {
    super(error.code, error.message, { guidance: error.guidance, cause: error });
  }

  /** restic found data of the parent missing, which it reports like a file that cannot be read; nothing was saved. */
  get parentIncomplete(): boolean {
    return (
      this.code === 'READ_INCOMPLETE' &&
      this.savedSnapshot === null &&
      this.message.includes('not found in the repository index; storing the file again')
    );
  }
}

/**
 * Backs up one source. restic is stopped at its first error, so that it saves no partial snapshot.
 * @throws BackupError
 */
export async function backupSource(restic: Restic, request: BackupRequest): Promise<BackupSummary> {
  const seen: { error: ReadFailure | null; producer: CephbackupError | null; summary: BackupSummary | null } =
    {
      error: null,
      producer: null,
      summary: null,
    };
  const options: Partial<CommandOptions> = {
    deadlineMs: request.deadlineMs,
    signal: request.signal,
    ...(request.patience === undefined ? {} : { patience: request.patience }),
    beforeAttempt: () => {
      Object.assign(seen, { error: null, producer: null, summary: null });
    },
    onStderrLine: (line, stop) => {
      // Beside a directory, a tenant's file names may be in any line.
      if (request.source.type === 'stream') seen.producer ??= parseProducerError(line);
      const error = readFailure(line);
      if (error === null) return;
      seen.error ??= error;
      stop();
    },
    onStdoutLine: (line) => {
      const message = parseMessage(line);
      if (message?.message_type === 'summary') seen.summary = toSummary(message, request.parent !== null);
      if (message?.message_type === 'status') request.onProgress(toProgress(message));
    },
  };
  const excluded = exclusion(request);
  try {
    if (request.source.type === 'directory') await request.source.disk?.begin();
    const result = await restic.backup(backupArguments(request, excluded.args, restic.below), {
      ...options,
      ...place(request.source),
    });
    if (seen.producer !== null) throw seen.producer;
    if (seen.error !== null) {
      const { text, guidance } = seen.error;
      if (isTemporaryFull(text)) throw new CephbackupError('TEMPORARY_FULL', `restic backup: ${text}`);
      throw new CephbackupError('READ_INCOMPLETE', `restic could not read everything: ${text}`, { guidance });
    }
    if (result.exitCode === 1 && result.stderr.includes('snapshot is empty')) {
      throw new CephbackupError('VOLUME_EMPTY', 'there is no file and no directory in the volume');
    }
    if (result.exitCode !== 0) {
      const fallback = result.exitCode === 3 ? 'READ_INCOMPLETE' : 'RESTIC_FAILED';
      throw repositoryError('restic backup', result, fallback);
    }
    if (seen.summary === null) {
      throw new CephbackupError('COMMAND_OUTPUT_INVALID', 'restic backup: no summary in its output');
    }
    return seen.summary;
  } catch (thrown) {
    throw new BackupError(asBackupError(thrown), seen.summary?.snapshotId ?? null);
  } finally {
    excluded.close();
  }
}

function asBackupError(thrown: unknown): CephbackupError {
  if (thrown instanceof CephbackupError) return thrown;
  return new CephbackupError('RESTIC_FAILED', String(thrown), { cause: thrown });
}

/** @throws BackupError */
function exclusion({ source, excludes }: BackupRequest): ExcludeArguments {
  if (source.type !== 'directory' || excludes === undefined) return { args: [], close: () => undefined };
  try {
    return excludeArguments(excludes.rules, source.path, excludes.temporary);
  } catch (thrown) {
    throw new BackupError(asBackupError(thrown), null);
  }
}

function backupArguments(
  { source, host, tags, notes, time, parent }: BackupRequest,
  excludes: string[],
  below: string[],
): string[] {
  return [
    `--host=${host}`,
    `--tag=${tags.join(',')}`,
    `--time=${new Date(time).toISOString().slice(0, 19).replace('T', ' ')}`,
    ...(notes ?? []).map((note) => `--exclude=${note}`),
    // Without a proven parent, restic must not choose one by itself.
    parent === null ? '--force' : `--parent=${parent}`,
    ...(source.type === 'directory'
      ? [...source.resticOptions, ...excludes, '--', '.']
      : [`--stdin-filename=${source.filename}`, '--stdin-from-command', '--', ...below, ...source.command]),
  ];
}

function place(source: BackupSource): Partial<CommandOptions> {
  return source.type === 'directory' ? { namespace: source.namespace, cwd: source.path } : {};
}

function toProgress(message: Record<string, unknown>): BackupProgress {
  // Until restic has counted everything, it tells no time that is left, and its total grows.
  const totalBytes = count(message.seconds_remaining) > 0 ? count(message.total_bytes) : null;
  return { files: count(message.files_done), bytes: count(message.bytes_done), totalBytes };
}

/** A stream, or a directory without a parent, is read as a whole; with one, restic tells only what was new in it. */
function bytesRead(message: Record<string, unknown>, withParent: boolean): number {
  const total = count(message.total_bytes_processed);
  if (!withParent || count(message.files_unmodified) === 0) return total;
  return Math.min(total, count(message.data_added));
}

function toSummary(message: Record<string, unknown>, withParent: boolean): BackupSummary | null {
  const { snapshot_id: id } = message;
  if (typeof id !== 'string' || !/^[0-9a-f]{64}$/.test(id)) return null;
  return {
    snapshotId: id,
    bytesProcessed: count(message.total_bytes_processed),
    bytesRead: bytesRead(message, withParent),
    bytesAdded: count(message.data_added_packed ?? message.data_added),
    filesProcessed: count(message.total_files_processed),
    directories: count(message.dirs_new) + count(message.dirs_changed) + count(message.dirs_unmodified),
  };
}
