/** What a node of a tree is. Nothing of it changes as long as the tree is served. */
export interface Attributes {
  type: 'file' | 'directory';
  /** Permission bits, e.g. 0o444. */
  mode: number;
  sizeBytes: number;
  /** Since the epoch; the nanoseconds below the second separately, so that none is lost. */
  mtime: { seconds: number; nanoseconds: number };
}

export interface Entry {
  name: string;
  node: number;
}

/**
 * A tree of files that never changes, as `serve` shows it to the kernel. Nodes are numbers below 2^53; the kernel and
 * every program see them as inode numbers. The root is 1.
 */
export interface Tree {
  /** Null where there is no such node. */
  attributes(node: number): Attributes | null;
  /** The node of that name in a directory, or null. */
  lookup(directory: number, name: string): number | null;
  /** All entries of a directory, in the same order each time. */
  entries(directory: number): readonly Entry[];
  /**
   * Bytes of a file, in one part or several; the range lies within the file. What it rejects with is told to the reader
   * as EIO.
   */
  read(file: number, offset: number, length: number): Promise<readonly Uint8Array[]>;
}

export const rootNode = 1;
