import type { Definitions } from '../../cli/options.js';
import { boolean, duration } from '../../cli/values.js';
import { listOptions } from '../list/options.js';
import { commonOptions } from '../shared/options/common.js';
import { selectionOptions } from '../shared/options/selection.js';
import { volumeOptions } from '../shared/options/volumes.js';

export const statusOptions = {
  ...commonOptions,
  namespaces: selectionOptions.namespaces,
  excludeNamespaces: selectionOptions.excludeNamespaces,
  pvcs: selectionOptions.pvcs,
  selector: selectionOptions.selector,
  storageClasses: selectionOptions.storageClasses,
  cephClusters: selectionOptions.cephClusters,
  drivers: selectionOptions.drivers,
  optIn: selectionOptions.optIn,
  from: listOptions.from,
  maxAge: {
    flag: '--max-age',
    placeholder: 'DURATION',
    description: 'exit 1 if a claim has no backup, or none so recent, e.g. 26h',
    parse: duration,
  },
  repository: {
    flag: '--repository',
    description: 'look into the repository, too: exit 1 if a marked backup is not there',
    parse: boolean,
  },
  limitUpload: volumeOptions.limitUpload,
  limitDownload: volumeOptions.limitDownload,
  retryLock: volumeOptions.retryLock,
  cacheLimit: volumeOptions.cacheLimit,
} satisfies Definitions;
