import path from 'node:path';
import { checkout } from './checkout.js';

/** The programs that set-up unpacked for this checkout alone. */
export const resticProgram = path.join(checkout, '.cache/restic/restic');
/** Too old a restic, to test that it is refused. */
export const oldResticProgram = path.join(checkout, '.cache/restic-old/restic');
/** Prometheus' own tester of rules. */
export const promtoolProgram = path.join(checkout, '.cache/prometheus/promtool');
/** The server of the report's page. */
export const nginxProgram = path.join(checkout, '.cache/nginx/nginx');
/** The built program of this checkout. */
export const cephbackupProgram = path.join(checkout, 'dist/bin/cephbackup.js');

/** The search path with this checkout's restic first. */
export function searchPath(): string {
  return `${path.dirname(resticProgram)}:${process.env.PATH ?? ''}`;
}
