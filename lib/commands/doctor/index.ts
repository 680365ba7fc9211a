import { define } from '../../cli/command.js';
import { doctorOptions } from './options.js';

export const doctorCommand = define({
  name: 'doctor',
  description: 'check everything that `run` needs, and say how to mend what is missing',
  examples: ['cephbackup doctor', 'cephbackup doctor --mapper nbd -o json'],
  options: doctorOptions,
  repository: () => 'url',
  check: async (values, env) => (await import('../shared/checks.js')).selectionMistakes(values, env),
  load: async () => (await import('./doctor.js')).doctor,
});
