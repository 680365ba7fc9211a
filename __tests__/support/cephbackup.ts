export { runCephbackup, startCephbackup } from '../../sandbox/cephbackup.js';
export type { CephbackupResult, RunningCephbackup } from '../../sandbox/cephbackup.js';
