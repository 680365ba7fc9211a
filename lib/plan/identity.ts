import type { CephfsSource, RbdSource, VolumeDetails, VolumeKind } from './types.js';

/** What a PersistentVolume says about where its data are. */
export interface Identity {
  /** Null where it does not say, and for storage that this program does not read. */
  kind: VolumeKind | null;
  source: RbdSource | CephfsSource | null;
  details: VolumeDetails;
  /** Something about this volume that its owner should know. */
  note: string | null;
}

/** What holds where a PersistentVolume says nothing. */
export const plainDetails: VolumeDetails = {
  fsType: 'ext4',
  poolId: null,
  fsId: null,
  snapshotBacked: false,
  backingSnapshot: null,
  unsupported: null,
  monitors: null,
  clientOptions: { used: [], refused: [] },
  encrypted: false,
  lazyTimes: false,
};
