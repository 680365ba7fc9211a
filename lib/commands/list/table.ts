import type { Plan, PlannedVolume } from '../../plan/types.js';
import { age, formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';

const headers = ['NAMESPACE', 'PVC', 'KIND', 'BACKUP', 'REASON', 'LAST BACKUP', 'SIZE', 'SOURCE'];

/** The plan as a table; its warnings go to the log. */
export function listTable(plan: Plan, now: Date, width: number | null = null): string {
  if (plan.volumes.length === 0) return 'No claims found.\n';
  return formatTable(
    headers,
    plan.volumes.map((volume) => [
      volume.namespace,
      volume.pvc,
      volume.kind ?? '<none>',
      String(volume.backup),
      volume.reason,
      volume.lastBackup === null ? '<never>' : age(new Date(volume.lastBackup), now),
      volume.sizeBytes === null ? '<unknown>' : formatBytes(volume.sizeBytes),
      sourceText(volume.source),
    ]),
    { width, givesWay: ['SOURCE', 'SIZE', 'KIND'] },
  );
}

/** As the tools of Ceph write it: `pool/namespace/image`, `fs:/path`; `?` for what is not known. */
function sourceText(source: PlannedVolume['source']): string {
  if (source === null) return '<none>';
  if ('image' in source) {
    const place = source.radosNamespace === null ? '' : `${source.radosNamespace}/`;
    return `${source.pool ?? '?'}/${place}${source.image ?? '?'}`;
  }
  const { fs, path, group, subvolume } = source;
  return `${fs ?? '?'}:${path ?? `${group ?? '?'}/${subvolume ?? '?'}`}`;
}
