import type { KubeApi, RequestOptions } from '../api.js';
import { hasStatus } from '../errors.js';
import { writeRecord, type LeaseObject, type LeaseRecord } from './record.js';
import { leasePath, leasesPath } from '../paths.js';

export const leaseName = 'cephbackup';

/** Reads and writes the one Lease of a namespace. */
export class LeaseStore {
  constructor(
    private readonly api: KubeApi,
    readonly namespace: string,
    private readonly durationSeconds: number,
  ) {}

  /** Null where there is none. @throws as KubeApi */
  async read(options: RequestOptions): Promise<LeaseObject | null> {
    try {
      return await this.api.get<LeaseObject>(leasePath(this.namespace, leaseName), options);
    } catch (thrown) {
      if (hasStatus(thrown, 404)) return null;
      throw thrown;
    }
  }

  /**
   * Writes `record` over `before`, or creates the Lease where that is null.
   *
   * @returns false where somebody else has written in the meantime; nothing was written then.
   * @throws as KubeApi. Where no answer came it is not known whether it was written: read again.
   */
  async write(before: LeaseObject | null, record: LeaseRecord, options: RequestOptions): Promise<boolean> {
    const metadata = { name: leaseName, namespace: this.namespace };
    const empty: LeaseObject = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
    const lease = writeRecord(before ?? empty, record, this.durationSeconds);
    try {
      if (before === null) await this.api.create(leasesPath(this.namespace), lease, options);
      else await this.api.replace(leasePath(this.namespace, leaseName), lease, options);
      return true;
    } catch (thrown) {
      // 404 on a replacement: the Lease was deleted, which is a change like any other.
      if (hasStatus(thrown, 409) || (before !== null && hasStatus(thrown, 404))) return false;
      throw thrown;
    }
  }
}
