import { define } from '../../cli/command.js';
import { claimOperand } from '../shared/operands.js';
import { manifestsOptions } from './options.js';

export const command = define({
  examples: [
    'cephbackup manifests shop/database | kubectl apply -f -',
    'cephbackup manifests shop/database --to-image rbd/database',
  ],
  options: manifestsOptions,
  operand: { ...claimOperand, least: 1, most: 1 },
  repository: () => true,
  check: async (values) => (await import('../shared/checks.js')).choiceMistakes(values),
  load: async () => (await import('./manifests.js')).manifests,
});
