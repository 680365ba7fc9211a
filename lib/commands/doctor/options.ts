import type { Definitions } from '../../cli/options.js';
import { runOptions } from '../run/options.js';
import { commonOptions } from '../shared/options/common.js';
import { selectionOptions } from '../shared/options/selection.js';
import { volumeOptions } from '../shared/options/volumes.js';

/** Whatever a run may be given, to look at what that run would need. */
export const doctorOptions = {
  ...commonOptions,
  ...selectionOptions,
  ...volumeOptions,
  allowEmpty: runOptions.allowEmpty,
  hooks: runOptions.hooks,
  keepBase: runOptions.keepBase,
  onCorrupt: runOptions.onCorrupt,
} satisfies Definitions;
