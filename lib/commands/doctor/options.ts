import type { Definitions } from '../../cli/options.js';
import { runOptions } from '../run/options.js';
import { commonOptions, selectionOptions, volumeOptions } from '../shared/options.js';

/** Whatever a run may be given, to look at what that run would need. */
export const doctorOptions = {
  ...commonOptions,
  ...selectionOptions,
  ...volumeOptions,
  allowEmpty: runOptions.allowEmpty,
  hooks: runOptions.hooks,
  keepBase: runOptions.keepBase,
} satisfies Definitions;
