/* eslint-disable */
import type { Plan } from './types.js';
export function listDocument(plan: Plan): unknown {
  return { volumes: plan.volumes.map(({ claim: _c, details: _d, ...v }) => v), warnings: plan.warnings };
}
