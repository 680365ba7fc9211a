import { define } from '../../cli/command.js';
import { path } from '../../cli/values.js';
import { claimOperand } from '../shared/operands.js';
import { lsOptions } from './options.js';

export const command = define({
  examples: [
    'cephbackup ls shop/database /var/lib --as-of 2026-03-01',
    'cephbackup ls shop/database --versions /etc/app.conf',
  ],
  options: lsOptions,
  operand: {
    ...claimOperand,
    least: 1,
    most: 1,
    next: {
      name: 'PATH',
      description: 'a folder or a file in it (default: /)',
      parse: path,
      least: 0,
      most: 1,
    },
  },
  repository: () => true,
  check: async (values) => (await import('../shared/checks.js')).choiceMistakes(values),
  load: async () => (await import('./ls.js')).ls,
});
