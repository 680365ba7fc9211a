import type { Definitions } from '../../cli/options.js';
import { cluster } from '../shared/options/choice.js';
import { commonOptions } from '../shared/options/common.js';
import { cacheLimit, limitUpload, limitDownload, retryLock } from '../shared/options/volumes.js';

export const snapshotsOptions = {
  ...commonOptions,
  limitUpload,
  limitDownload,
  retryLock,
  cacheLimit,
  cluster,
} satisfies Definitions;
