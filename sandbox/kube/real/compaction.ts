/** Makes etcd forget old revisions, through its JSON gateway: `continue` tokens refer to one. */
export async function compact(etcdUrl: string): Promise<void> {
  const post = async (at: string, body: unknown): Promise<unknown> => {
    const answer = await fetch(`${etcdUrl}${at}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  // A write first: the token's revision may be the newest, and that one is never forgotten.
  const key = Buffer.from('/sandbox/compaction').toString('base64');
  const put = (await post('/v3/kv/put', { key, value: '' })) as { header: { revision: string } };
  await post('/v3/kv/compaction', { revision: put.header.revision, physical: true });
}
