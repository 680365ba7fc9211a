import { boolean, imageName } from '../../../cli/values.js';

/* What several commands have, and what belongs to no group. */

export const dryRun = {
  flag: '--dry-run',
  description: 'say what would be done, and touch nothing',
  parse: boolean,
};

export const hooks = {
  flag: '--hooks',
  description: 'run the hooks that annotations of pods name around each snapshot, in the pods',
  parse: boolean,
};

export const toImage = {
  flag: '--to-image',
  placeholder: 'POOL[/RADOSNS]/IMAGE',
  description: 'a new image',
  parse: imageName,
};
