import type { Definitions } from '../../cli/options.js';
import { boolean, duration, size, type Parser } from '../../cli/values.js';
import type { Budget } from '../../verify/rotation.js';
import { cluster } from '../shared/options/choice.js';
import { commonOptions } from '../shared/options/common.js';
import { metricsOptions } from '../shared/options/metrics.js';
import { selectionOptions } from '../shared/options/selection.js';
import {
  volumeOptions,
  cacheLimit,
  limitUpload,
  limitDownload,
  patience,
  retryLock,
} from '../shared/options/volumes.js';

/** `2h` or `500GiB`: a duration or a size. */
const budget: Parser<Budget> = (text) => {
  const [time, amount] = [duration(text), size(text)];
  if ('value' in time) return { value: { milliseconds: time.value === 0 ? Infinity : time.value } };
  if ('value' in amount) return { value: { bytes: amount.value } };
  return { expected: 'a duration or a size with a unit, e.g. 2h or 500GiB' };
};

export const verifyOptions = {
  ...commonOptions,
  ...metricsOptions,
  limitUpload,
  limitDownload,
  patience,
  retryLock,
  cacheLimit,
  concurrency: volumeOptions.concurrency,
  cluster,
  budget: {
    flag: '--budget',
    placeholder: 'DURATION|SIZE',
    description:
      'how long, or how much, to read where no claim is named; the rest is for the next time (default: all)',
    parse: budget,
  },
  drill: {
    flag: '--drill',
    description:
      'also restore for real, images into scratch images where Ceph is configured, else into TMPDIR; compare; remove it',
    parse: boolean,
  },
  mapper: volumeOptions.mapper,
  cephConf: volumeOptions.cephConf,
  cephUser: volumeOptions.cephUser,
  cephKeyring: volumeOptions.cephKeyring,
  cephUsers: volumeOptions.cephUsers,
  cephClusters: selectionOptions.cephClusters,
  drivers: selectionOptions.drivers,
} satisfies Definitions;
