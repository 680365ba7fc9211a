import type { Definitions } from '../../cli/options.js';
import { boolean, matching } from '../../cli/values.js';
import { commonOptions } from '../shared/options/common.js';
import { selectionOptions } from '../shared/options/selection.js';
import { dryRun } from '../shared/options/single.js';
import { volumeOptions } from '../shared/options/volumes.js';

export const cleanupOptions = {
  ...commonOptions,
  ...volumeOptions,
  cephClusters: selectionOptions.cephClusters,
  drivers: selectionOptions.drivers,
  dryRun,
  installation: {
    flag: '--installation',
    placeholder: 'ID',
    description: "remove what another installation's crashed runs left",
    parse: matching(/^[0-9a-f]{8}$/, '8 hex digits, as in cephbackup-<ID>-...'),
  },
  force: {
    flag: '--force',
    description:
      'with --installation: also where that installation is not found in this cluster, so that its runs cannot be seen',
    parse: boolean,
  },
  bases: {
    flag: '--bases',
    description: 'remove the snapshots that --keep-base left, too; the next backups read everything',
    parse: boolean,
  },
} satisfies Definitions;
