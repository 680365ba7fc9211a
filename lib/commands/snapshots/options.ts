import type { Definitions } from '../../cli/options.js';
import { commonOptions, limitUpload, limitDownload, cluster } from '../shared/options.js';

export const snapshotsOptions = {
  ...commonOptions,
  limitUpload,
  limitDownload,
  cluster,
} satisfies Definitions;
