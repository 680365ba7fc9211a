/* eslint-disable */
import type { Plan } from '../plan/types.js';
import { formatTable } from './table.js';
export function listTable(plan: Plan, _now: Date): string {
  return formatTable(
    ['NAMESPACE', 'PVC', 'KIND', 'BACKUP', 'REASON'],
    plan.volumes.map((v) => [v.namespace, v.pvc, String(v.kind), String(v.backup), v.reason]),
  );
}
