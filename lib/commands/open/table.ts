import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';
import type { Leftover } from '../../ownership/scope.js';

/** A partition or a logical volume: a stable format. */
export interface ShownPart {
  /** 0: the disk itself; null: a volume. */
  partition: number | null;
  /** `GROUP/NAME`. */
  volume: string | null;
  sizeBytes: number;
  type: string;
  directory: string | null;
  /** Why it is not shown. */
  why: string | null;
}

/** What `open` prints: a stable format. */
export interface OpenReport {
  claim: { cluster: string; namespace: string; pvc: string; uid: string };
  snapshot: string;
  time: string;
  directory: string;
  /** Of a disk. */
  parts: ShownPart[];
  leftovers: Leftover[];
  warnings: string[];
  error: unknown;
}

/** How to have a file of a partition with its owner, mode and attributes; nothing where no partition is shown. */
export function takeOut({ claim, snapshot, parts }: OpenReport): string {
  const first = parts.find(({ partition, directory }) => partition !== null && directory !== null);
  if (first === undefined) return '';
  const backup = `${claim.namespace}/${claim.pvc} --snapshot ${snapshot.slice(0, 8)}`;
  return `Copy what you need, or with owner, mode and attributes:\n  cephbackup restore ${backup} --partition ${String(first.partition)} --path /PATH --to-directory ./files\n`;
}

export function openTable(
  { claim, time, directory, parts }: OpenReport,
  width: number | null = null,
): string {
  const head = `${claim.namespace}/${claim.pvc} of ${time} at ${directory}\n`;
  if (parts.length === 0) return head;
  const rows = parts.map((part) => [
    part.volume ?? (part.partition === 0 ? 'disk' : String(part.partition)),
    formatBytes(part.sizeBytes),
    part.type === '' ? '<none>' : part.type,
    part.directory ?? `not shown: ${part.why ?? ''}`,
  ]);
  return (
    head + formatTable(['PARTITION', 'SIZE', 'TYPE', 'WHERE'], rows, { width, givesWay: [], wraps: true })
  );
}
