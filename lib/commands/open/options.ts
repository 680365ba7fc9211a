import type { Definitions } from '../../cli/options.js';
import {
  asOf,
  cluster,
  commonOptions,
  limitDownload,
  limitUpload,
  retryLock,
  snapshot,
  uid,
} from '../shared/options.js';

export const openOptions = {
  ...commonOptions,
  limitUpload,
  limitDownload,
  retryLock,
  cluster,
  uid,
  snapshot,
  asOf,
} satisfies Definitions;
