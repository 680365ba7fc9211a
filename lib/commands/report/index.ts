import { define } from '../../cli/command.js';
import { path } from '../../cli/values.js';
import { reportOptions } from './options.js';

export const command = define({
  examples: [
    'cephbackup report backups.html',
    'cephbackup report backups.html --repository --keep-daily 14 --keep-weekly 8',
  ],
  options: reportOptions,
  operand: {
    name: 'FILE',
    description: 'where the page is written; - is stdout',
    parse: path,
    least: 1,
    most: 1,
  },
  repository: ({ repository }) => repository === true,
  check: async (values) => {
    const { selectionMistakes } = await import('../shared/checks.js');
    return selectionMistakes({ ...values, minAge: null, shard: null }, {});
  },
  load: async () => (await import('./report.js')).report,
});
