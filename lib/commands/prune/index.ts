import { define } from '../../cli/command.js';
import { pruneOptions } from './options.js';

export const command = define({
  examples: [
    'cephbackup prune --keep-daily 14 --keep-weekly 8 --keep-monthly 12 --dry-run',
    'cephbackup prune --keep-within 30d --keep-deleted 90d',
  ],
  options: pruneOptions,
  patient: true,
  repository: () => true,
  check: async (values) => (await import('./checks.js')).pruneMistakes(values),
  load: async () => {
    const { withMetrics } = await import('../shared/metrics.js');
    return withMetrics('prune', (await import('./prune.js')).prune);
  },
});
