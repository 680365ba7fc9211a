import type { Definitions } from '../../cli/options.js';
import {
  boolean,
  claimName,
  groupName,
  innerPath,
  integer,
  objectName,
  oneOf,
  path,
} from '../../cli/values.js';
import { choiceOptions } from '../shared/options/choice.js';
import { commonOptions } from '../shared/options/common.js';
import { selectionOptions } from '../shared/options/selection.js';
import { toImage } from '../shared/options/single.js';
import { volumeOptions } from '../shared/options/volumes.js';

export const restoreOptions = {
  ...commonOptions,
  ...volumeOptions,
  cephClusters: selectionOptions.cephClusters,
  drivers: selectionOptions.drivers,
  ...choiceOptions,
  toImage: { ...toImage, description: 'restore to a new image (with --force: an existing one)' },
  toPvc: {
    flag: '--to-pvc',
    placeholder: 'NAMESPACE/NAME',
    description: 'restore into the volume of a claim that nobody uses',
    parse: claimName,
  },
  toDirectory: {
    flag: '--to-directory',
    placeholder: 'DIR',
    description:
      'restore files into an empty or new directory; with --force existing files are overwritten, none deleted',
    parse: path,
  },
  toFile: {
    flag: '--to-file',
    placeholder: 'FILE',
    description: 'restore a disk to a new file',
    parse: path,
  },
  format: {
    flag: '--format',
    placeholder: 'qcow2|raw',
    description: 'format of --to-file (default: qcow2)',
    parse: oneOf('qcow2', 'raw'),
  },
  path: {
    flag: '--path',
    placeholder: 'PATH',
    description: 'only this part of a filesystem; arrives at TARGET/PATH',
    parse: innerPath,
  },
  group: {
    flag: '--group',
    placeholder: 'NAMESPACE/NAME',
    description: 'all claims of this group, of one moment; to --to-directory or --to-namespace',
    parse: groupName,
  },
  toNamespace: {
    flag: '--to-namespace',
    placeholder: 'NAMESPACE',
    description: 'with --group: into the claims of the same names in this namespace, which nobody uses',
    parse: objectName,
  },
  partition: {
    flag: '--partition',
    placeholder: 'N',
    description: 'files out of this partition of a disk, to --to-directory (0: a disk without a table)',
    parse: integer(0, 9999),
  },
  force: {
    flag: '--force',
    description: 'overwrite what exists; never what is in use',
    parse: boolean,
  },
} satisfies Definitions;
