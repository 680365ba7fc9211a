import { define } from '../../cli/command.js';
import { cleanupOptions } from './options.js';

export const command = define({
  examples: ['cephbackup cleanup --dry-run', 'cephbackup cleanup'],
  options: cleanupOptions,
  patient: true,
  check: async (values) => (await import('../shared/checks.js')).volumeMistakes(values),
  load: async () => (await import('./cleanup.js')).cleanup,
});
