import type { Definitions } from '../../cli/options.js';
import { matching } from '../../cli/values.js';
import { commonOptions, selectionOptions, volumeOptions, dryRun } from '../shared/options.js';

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
} satisfies Definitions;
