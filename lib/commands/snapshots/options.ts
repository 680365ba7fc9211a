import type { Definitions } from '../../cli/options.js';
import { commonOptions, limitUpload, limitDownload, retryLock, cluster } from '../shared/options.js';

export const snapshotsOptions = {
  ...commonOptions,
  limitUpload,
  limitDownload,
  retryLock,
  cluster,
} satisfies Definitions;
