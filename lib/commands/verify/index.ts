import { define } from '../../cli/command.js';
import { claimOperand } from '../shared/operands.js';
import { verifyOptions } from './options.js';

export const command = define({
  examples: ['cephbackup verify --budget 2h', 'cephbackup verify shop/database --drill'],
  options: verifyOptions,
  patient: true,
  operand: { ...claimOperand, least: 0, most: Infinity },
  repository: () => true,
  check: async (values) => {
    // Nothing else of it needs Ceph.
    if (values.drill !== true) return [];
    const { clusterMistakes, volumeMistakes } = await import('../shared/checks.js');
    return [...volumeMistakes(values), ...clusterMistakes(values)];
  },
  load: async () => {
    const { withMetrics } = await import('../shared/metrics.js');
    return withMetrics('verify', (await import('./verify.js')).verify);
  },
});
