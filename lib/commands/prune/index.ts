import { define } from '../../cli/command.js';
import { pruneOptions } from './options.js';

export const pruneCommand = define({
  name: 'prune',
  description: 'forget old backups by the rules given, claim by claim, and free their space',
  options: pruneOptions,
  patient: true,
  repository: () => true,
  check: async (values) => (await import('./checks.js')).pruneMistakes(values),
  load: async () => {
    const { withMetrics } = await import('../shared/metrics.js');
    return withMetrics('prune', (await import('./prune.js')).prune);
  },
});
