import type { CephStatus, HealthCheck } from '../tools/ceph/status.js';

/**
 * What makes a cluster one that backups should not burden, by the codes of Ceph 16 to 20 (src/osd/OSDMap.cc, src/mon/PGMap.cc,
 * src/mds/Beacon.cc).
 */
const strains: { of: RegExp; blocks: boolean; means: string }[] = [
  {
    of: /^OSD_FULL$/,
    blocks: true,
    means: 'nothing can be written, snapshots and clones neither',
  },
  {
    of: /^POOL_FULL$/,
    blocks: false,
    means: 'nothing can be written there, snapshots and clones neither',
  },
  {
    of: /^((OSD|POOL)_(NEARFULL|BACKFILLFULL)|POOL_NEAR_FULL)$/,
    blocks: false,
    means: 'while a snapshot exists, what is overwritten takes room of its own',
  },
  {
    of: /^PG_SLOW_SNAP_TRIMMING$/,
    blocks: false,
    means: 'Ceph does not keep up with the removal of snapshots',
  },
  {
    of: /^MDS_(TRIM|CACHE_OVERSIZED|CLIENT_RECALL)$/,
    blocks: false,
    means: 'a metadata server does not keep up with its clients',
  },
];

export interface Strain extends HealthCheck {
  means: string;
  /** Whether no backup can succeed. */
  blocks: boolean;
}

/** What Ceph warns of that a backup makes worse, or that makes it fail. */
export function strainsOf({ health }: CephStatus): Strain[] {
  return health.flatMap((check) => {
    const strain = strains.find(({ of }) => of.test(check.code));
    return strain === undefined ? [] : [{ ...check, means: strain.means, blocks: strain.blocks }];
  });
}
