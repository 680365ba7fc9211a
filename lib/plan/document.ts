import type { Plan, PlannedVolume } from './types.js';

type ListedVolume = Omit<PlannedVolume, 'details' | 'group' | 'excludes' | 'claim'>;

export interface ListDocument {
  volumes: ListedVolume[];
  warnings: string[];
}

/** What `list -o json` and `run --dry-run -o json` print. */
export function listDocument({ volumes, warnings }: Plan): ListDocument {
  return {
    volumes: volumes.map(
      ({ namespace, pvc, uid, pv, kind, backup, reason, host, sizeBytes, lastBackup, source }) => ({
        namespace,
        pvc,
        uid,
        pv,
        kind,
        backup,
        reason,
        host,
        sizeBytes,
        lastBackup,
        source,
      }),
    ),
    warnings,
  };
}
