import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';
import type { Leftover } from '../../ownership/scope.js';

/** What `open` prints: a stable format. */
export interface OpenReport {
  claim: { cluster: string; namespace: string; pvc: string; uid: string };
  snapshot: string;
  time: string;
  directory: string;
  /** Of a disk; partition 0 is the disk itself. */
  parts: {
    partition: number;
    sizeBytes: number;
    type: string;
    directory: string | null;
    why: string | null;
  }[];
  leftovers: Leftover[];
  warnings: string[];
  error: unknown;
}

export function openTable(
  { claim, time, directory, parts }: OpenReport,
  width: number | null = null,
): string {
  const head = `${claim.namespace}/${claim.pvc} of ${time} at ${directory}\n`;
  if (parts.length === 0) return head;
  const rows = parts.map((part) => [
    part.partition === 0 ? 'disk' : String(part.partition),
    formatBytes(part.sizeBytes),
    part.type === '' ? '<none>' : part.type,
    part.directory ?? `not shown: ${part.why ?? ''}`,
  ]);
  return (
    head + formatTable(['PARTITION', 'SIZE', 'TYPE', 'WHERE'], rows, { width, givesWay: [], wraps: true })
  );
}
