import type { Shard } from '../cli/values.js';
import type { CephCluster } from './clusters.js';
export interface Policy {
  prefix: string;
  namespaces: readonly string[];
  excludeNamespaces: readonly string[];
  pvcs: readonly string[];
  selector: string | null;
  storageClasses: readonly string[];
  minAge: number | null;
  shard: Shard | null;
  clusters: readonly CephCluster[] | null;
}
