import type { KubeObject } from '../../lib/kube/types.js';
import type { ClaimName } from '../claims.js';

/** A volume with realistic content, which somebody uses and writes to all the time. */
export interface Workload {
  claim: ClaimName;
  /** What it is, in a few words. */
  title: string;
  /** Its claim and volume for the Kubernetes API. */
  objects: KubeObject[];
  /** Compares a restored copy with the volume as it is now. `restored` is what restic wrote: a folder. */
  compare(restored: string): Promise<Comparison>;
  /** Ends the use; the volume stays. */
  stop(): Promise<void>;
}

export interface Comparison {
  /** What differs and must not; nothing if the copy is good. */
  differences: string[];
  /** What was compared, for a reader. */
  summary: string;
}
