import type { Definitions } from '../../../cli/options.js';
import { boolean, claimName, duration, objectName, shard, text, type Parser } from '../../../cli/values.js';
import type { NamedDriver } from '../../../plan/policy.js';

const namedDriver: Parser<NamedDriver> = (given) => {
  const [, name, type] = /^([A-Za-z0-9][A-Za-z0-9.-]*)=(rbd|cephfs)$/.exec(given) ?? [];
  return name !== undefined && (type === 'rbd' || type === 'cephfs')
    ? { value: { name, type } }
    : { expected: 'NAME=rbd or NAME=cephfs, e.g. rbd.csi.example.com=rbd' };
};

/** Which claims. What the first ones leave out is not listed at all; --min-age and --shard give a reason. */
export const selectionOptions = {
  namespaces: {
    flag: '--namespace',
    placeholder: 'NS',
    description: 'only claims of this namespace (repeatable)',
    parse: objectName,
    repeated: true,
  },
  excludeNamespaces: {
    flag: '--exclude-namespace',
    placeholder: 'NS',
    description: 'no claims of this namespace (repeatable)',
    parse: objectName,
    repeated: true,
  },
  pvcs: {
    flag: '--pvc',
    placeholder: 'NS/NAME',
    description: 'only this claim (repeatable)',
    parse: claimName,
    repeated: true,
  },
  selector: {
    flag: '--selector',
    placeholder: 'LABELS',
    description: "only claims with these labels (Kubernetes' selector syntax)",
    parse: text,
  },
  storageClasses: {
    flag: '--storage-class',
    placeholder: 'NAME',
    description: 'only claims of this storage class (repeatable)',
    parse: objectName,
    repeated: true,
  },
  minAge: {
    flag: '--min-age',
    placeholder: 'DURATION',
    description: 'leave out volumes backed up more recently',
    parse: duration,
  },
  shard: {
    flag: '--shard',
    placeholder: 'I/N',
    description: 'only the claims of shard I of N, I from 0',
    parse: shard,
  },
  optIn: {
    flag: '--opt-in',
    description: 'back up only what an annotation names: what has none is left out',
    parse: boolean,
  },
  drivers: {
    flag: '--driver',
    placeholder: 'NAME=rbd|cephfs',
    description: 'a CSI driver of Ceph under another name (repeatable)',
    parse: namedDriver,
    repeated: true,
  },
  cephClusters: {
    flag: '--ceph-clusters',
    placeholder: 'FILE',
    description: "ceph-csi's config.json: monitors, RADOS namespace and subvolume group by clusterID",
    parse: text,
  },
} satisfies Definitions;
