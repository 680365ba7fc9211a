import { define } from '../../cli/command.js';
import { runOptions } from './options.js';

export const command = define({
  examples: ['cephbackup run --dry-run', 'cephbackup run --namespace shop --min-age 20h'],
  options: runOptions,
  patient: true,
  repository: ({ dryRun }) => dryRun !== true,
  check: async (values, env) => {
    const { selectionMistakes, volumeMistakes } = await import('../shared/checks.js');
    return [...selectionMistakes(values, env), ...(values.dryRun === true ? [] : volumeMistakes(values))];
  },
  load: async () => {
    const { withMetrics } = await import('../shared/metrics.js');
    return withMetrics('run', (await import('./start.js')).startRun);
  },
});
