/** A call of etcd's JSON gateway. */
export async function etcdRequest(etcdUrl: string, at: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${etcdUrl}${at}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export function etcdBytes(text: string): string {
  return Buffer.from(text).toString('base64');
}
