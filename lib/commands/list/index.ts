import { define } from '../../cli/command.js';
import { listOptions } from './options.js';

export const command = define({
  examples: ['cephbackup list', 'kubectl get ns,pv,pvc -A -o json | cephbackup list --from -'],
  options: listOptions,
  check: async (values, env) => (await import('../shared/checks.js')).selectionMistakes(values, env),
  load: async () => (await import('./list.js')).list,
});
