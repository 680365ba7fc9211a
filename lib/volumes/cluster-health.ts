import type { CephStatus } from '../tools/ceph/status.js';

/**
 * What makes a cluster one that backups should not burden, by the codes of Ceph 16 to 20 (src/osd/OSDMap.cc, src/mon/PGMap.cc,
 * src/mds/Beacon.cc).
 */
const burdens: { of: RegExp; blocks: boolean; means: string }[] = [
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

export interface HealthWarning {
  code: string;
  /** What a cluster does, in words: `warns of CODE: …`. */
  said: string;
  /** Whether no backup can succeed. */
  blocks: boolean;
}

/** What Ceph warns of that a backup makes worse, or that makes it fail. */
export function healthWarnings({ health }: CephStatus): HealthWarning[] {
  return health.flatMap(({ code, message }) => {
    const burden = burdens.find(({ of }) => of.test(code));
    if (burden === undefined) return [];
    return [{ code, said: `warns of ${code}: ${message}; ${burden.means}`, blocks: burden.blocks }];
  });
}
