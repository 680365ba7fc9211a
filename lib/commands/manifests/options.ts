import type { Definitions } from '../../cli/options.js';
import { boolean } from '../../cli/values.js';
import { readingOptions } from '../shared/options/choice.js';
import { commonOptions } from '../shared/options/common.js';
import { toImage } from '../shared/options/single.js';

export const manifestsOptions = {
  ...commonOptions,
  ...readingOptions,
  toImage: { ...toImage, description: 'the restored image, where its name is not the old one' },
  claimOnly: {
    flag: '--claim-only',
    description: 'only the PVC, unbound: its storage class provides a new volume',
    parse: boolean,
  },
} satisfies Definitions;
