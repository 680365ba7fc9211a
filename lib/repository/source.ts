import type { CephbackupError } from '../errors/error.js';
import type { NamespaceRef } from '../tools/process/exec.js';

/** A directory whose contents become the snapshot's root. */
export interface DirectorySource {
  type: 'directory';
  /** The mount namespace in which `path` exists. */
  namespace: NamespaceRef;
  /** The same in every run of every volume: restic records it. */
  path: string;
  /** Why times must not be believed, so that everything is read; null where the parent serves. */
  readAll: string | null;
  /** restic options that this kind of filesystem needs, e.g. `--ignore-inode`. */
  resticOptions: string[];
  /** Where the directory is the view of a disk. */
  disk?: DiskView;
  /**
   * After restic has read everything: is what was read still what was prepared?
   * @throws CephbackupError MOUNT_WRONG and the like; the backup then does not count.
   */
  confirm(): Promise<void>;
}

/** What a folder of a disk's segments is, beside its files. */
export interface DiskView {
  /** Exact size in bytes of the image's snapshot. */
  imageSize: number;
  /** Bytes of all files. */
  expectedBytes: number;
  /** Files and directories, the root not counted. */
  entries: number;
  /** Whether the parent's data was used, or why not. */
  base: string;
  /** restic is about to read it, perhaps once more: only what it reads from now on counts for `confirm`. */
  begin(): Promise<void>;
  /** Why files cannot be read any more; null where nothing is known of it. */
  failure(): CephbackupError | null;
  /** Bytes that were read from Ceph; known once `confirm` has passed. */
  bytesRead(): number;
  /** The source's snapshot, which becomes the base of the next backup. */
  snapshot: FutureBase;
}

/** Something that is to be removed. */
interface Held {
  /** As it is told where that fails. */
  resource: FutureBase['resource'];
  /** @throws CephbackupError */
  release: () => Promise<void>;
}

/** A Ceph snapshot whose fate is decided after the backup is proven and marked. */
export interface FutureBase {
  /** As it is told where it cannot be removed. */
  resource: { kind: 'snapshot'; name: string; cluster: string | null };
  /** From now on unwinding leaves it in place; `keep` or `drop` must follow. */
  hold(): void;
  /** It becomes the base of this backup. @returns older bases, which are to go @throws CephbackupError */
  keep(resticSnapshot: string): Promise<Held[]>;
  /** @throws CephbackupError */
  drop(): Promise<void>;
}

/** The output of a command that becomes one file of the snapshot. */
export interface StreamSource {
  type: 'stream';
  /** Path of the file within the snapshot, e.g. `/disk.qcow2`. */
  filename: string;
  /** argv of the producer; it runs below restic, and its failure keeps restic from saving a snapshot. */
  command: string[];
  /** Bytes that the producer will write, exactly. */
  length: number;
  /** Exact size in bytes of the image's snapshot, to be told in the manifests; null where the source is no image. */
  imageSize: number | null;
  /** Why a disk that was to be read by segments is streamed. */
  base?: string;
  confirm(): Promise<void>;
}

export type BackupSource = DirectorySource | StreamSource;
