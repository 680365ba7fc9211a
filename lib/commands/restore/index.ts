import { define } from '../../cli/command.js';
import { claimOperand } from '../shared/operands.js';
import { restoreOptions } from './options.js';

export const command = define({
  examples: [
    'cephbackup restore shop/database --path /var/lib --to-directory ./out',
    'cephbackup restore vms/vm --partition 1 --path /etc/hosts --to-directory out',
  ],
  options: restoreOptions,
  patient: true,
  // Not with --group.
  operand: { ...claimOperand, least: 0, most: 1 },
  repository: () => true,
  check: async (values, _env, wrong) => {
    const [{ choiceMistakes, clusterMistakes, volumeMistakes }, { targetMistakes }] = await Promise.all([
      import('../shared/checks.js'),
      import('./checks.js'),
    ]);
    return [
      ...targetMistakes(values, wrong),
      ...choiceMistakes(values),
      ...volumeMistakes(values),
      ...clusterMistakes(values),
    ];
  },
  load: async () => (await import('./restore.js')).restore,
});
