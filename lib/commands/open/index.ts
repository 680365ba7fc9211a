import { define } from '../../cli/command.js';
import { path } from '../../cli/values.js';
import { claimOperand } from '../shared/operands.js';
import { openOptions } from './options.js';

export const command = define({
  examples: [
    'cephbackup open shop/database ./look',
    'cephbackup open vms/router ./look --as-of 2026-03-01 --lvm',
  ],
  options: openOptions,
  operand: {
    ...claimOperand,
    least: 1,
    most: 1,
    next: { name: 'DIRECTORY', description: 'an empty directory', parse: path, least: 1, most: 1 },
  },
  repository: () => true,
  check: async (values) => (await import('../shared/checks.js')).choiceMistakes(values),
  load: async () => (await import('./open.js')).open,
});
