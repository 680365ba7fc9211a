import { asObject, parseJson, stringField } from '../process/json.js';

/** What `ceph status` says that matters to backups. */
export interface CephStatus {
  /** The cluster's own id. */
  fsid: string;
  /** What Ceph warns of, as `ceph health` has it; what an administrator has muted is left out. */
  health: HealthCheck[];
}

export interface HealthCheck {
  /** E.g. `OSD_NEARFULL`: https://docs.ceph.com/en/latest/rados/operations/health-checks/. */
  code: string;
  /** In Ceph's words. */
  message: string;
}

/** Reads what `ceph status --format json` prints. @throws CephbackupError COMMAND_OUTPUT_INVALID */
export function readStatus(text: string): CephStatus {
  const status = asObject(parseJson(text, 'ceph status'), 'ceph status');
  return { fsid: stringField(status, 'fsid', 'ceph status'), health: healthOf(status.health) };
}

function healthOf(health: unknown): HealthCheck[] {
  const { checks } = (health ?? {}) as { checks?: unknown };
  if (typeof checks !== 'object' || checks === null) return [];
  return Object.entries(checks as Record<string, Partial<Check> | null>).flatMap(([code, check]) => {
    if (check === null || check.muted === true) return [];
    const message = check.summary?.message;
    return [{ code, message: typeof message === 'string' ? message : code }];
  });
}

interface Check {
  muted: unknown;
  summary: { message?: unknown } | null;
}
