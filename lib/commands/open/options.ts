import type { Definitions } from '../../cli/options.js';
import { boolean } from '../../cli/values.js';
import { readingOptions } from '../shared/options/choice.js';
import { commonOptions } from '../shared/options/common.js';

export const openOptions = {
  ...commonOptions,
  ...readingOptions,
  lvm: {
    flag: '--lvm',
    description:
      "of a disk, show the logical volumes of LVM, too, at DIRECTORY/lvm/GROUP/NAME; the node's LVM is not asked",
    parse: boolean,
  },
} satisfies Definitions;
