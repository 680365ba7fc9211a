import { define } from '../../cli/command.js';
import { claimOperand } from '../shared/operands.js';
import { snapshotsOptions } from './options.js';

export const command = define({
  examples: ['cephbackup snapshots', 'cephbackup snapshots shop/database --cluster all'],
  options: snapshotsOptions,
  operand: { ...claimOperand, least: 0, most: 1 },
  repository: () => true,
  load: async () => (await import('./snapshots.js')).snapshots,
});
