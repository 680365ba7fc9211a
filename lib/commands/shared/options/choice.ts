import type { Definitions } from '../../../cli/options.js';
import { matching, time } from '../../../cli/values.js';
import { clusterTag } from './common.js';
import { cacheLimit, limitDownload, limitUpload, retryLock } from './volumes.js';

export const cluster = {
  flag: '--cluster',
  placeholder: 'NAME|all',
  description:
    "whose backups to look at (default: this cluster's; without a Kubernetes API: all, if they are of one cluster)",
  parse: clusterTag,
};

export const uid = {
  flag: '--uid',
  placeholder: 'UID',
  description: 'which claim, where several had the name one after the other',
  parse: matching(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'the UID of a claim'),
};

export const snapshot = {
  flag: '--snapshot',
  placeholder: 'ID|latest',
  description: 'which backup (default: latest)',
  parse: matching(/^(latest|[0-9a-f]{4,64})$/, 'latest, or at least 4 hex digits of the id of a snapshot'),
};

export const asOf = {
  flag: '--as-of',
  placeholder: 'TIME',
  description: 'the newest backup that is not younger than this, e.g. 2026-01-31T12:00:00Z',
  parse: time,
};

/** Which backup is meant, of the claim that is named. */
export const choiceOptions = { cluster, uid, snapshot, asOf } satisfies Definitions;

/** For commands that read one backup in the repository. */
export const readingOptions = {
  limitUpload,
  limitDownload,
  retryLock,
  cacheLimit,
  ...choiceOptions,
} satisfies Definitions;
