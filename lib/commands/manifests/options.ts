import type { Definitions } from '../../cli/options.js';
import { boolean } from '../../cli/values.js';
import { commonOptions, readingOptions, toImage } from '../shared/options.js';

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
