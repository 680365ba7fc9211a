import { define } from '../../cli/command.js';
import { doctorOptions } from './options.js';

export const command = define({
  examples: ['cephbackup doctor', 'cephbackup doctor --mapper nbd -o json'],
  options: doctorOptions,
  repository: () => 'url',
  check: async (values, env) => (await import('../shared/checks.js')).selectionMistakes(values, env),
  load: async () => (await import('./doctor.js')).doctor,
});
