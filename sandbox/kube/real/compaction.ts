import { etcdBytes, etcdRequest } from './etcd.js';

/** Makes etcd forget old revisions: `continue` tokens refer to one. */
export async function compact(etcdUrl: string): Promise<void> {
  // A write first: the token's revision may be the newest, and that one is never forgotten.
  const key = etcdBytes('/sandbox/compaction');
  const put = (await etcdRequest(etcdUrl, '/v3/kv/put', { key, value: '' })) as {
    header: { revision: string };
  };
  await etcdRequest(etcdUrl, '/v3/kv/compaction', { revision: put.header.revision, physical: true });
}
