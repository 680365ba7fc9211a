import { define } from '../../cli/command.js';
import { statusOptions } from './options.js';

export const command = define({
  examples: ['cephbackup status --max-age 26h', 'cephbackup status --namespace shop -o json'],
  options: statusOptions,
  repository: ({ repository }) => repository === true,
  // The shards of a run are no concern of a status, which is of all claims.
  check: async (values) =>
    (await import('../shared/checks.js')).selectionMistakes({ ...values, minAge: null, shard: null }, {}),
  load: async () => (await import('./status.js')).status,
});
