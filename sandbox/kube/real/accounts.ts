import type { AdminRequest, Rule } from '../types.js';

const accounts = '/api/v1/namespaces/default/serviceaccounts';
const rbac = '/apis/rbac.authorization.k8s.io/v1';

/** Creates a service account with these rights. @returns its token */
export async function newAccount(
  request: AdminRequest,
  name: string,
  rules: readonly Rule[],
): Promise<string> {
  const post = async (at: string, body: unknown): Promise<unknown> => {
    const answer = await request('POST', at, body);
    if (answer.status > 299) throw new Error(`${at}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  await post(accounts, { metadata: { name } });
  const subjects = [{ kind: 'ServiceAccount', name, namespace: 'default' }];
  for (const [index, { namespace, ...rule }] of rules.entries()) {
    const metadata = { name: `${name}-${index}` };
    const kind = namespace === undefined ? 'ClusterRole' : 'Role';
    const within = namespace === undefined ? rbac : `${rbac}/namespaces/${namespace}`;
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name };
    await post(`${within}/${kind.toLowerCase()}s`, { metadata, rules: [rule] });
    await post(`${within}/${kind.toLowerCase()}bindings`, { metadata, roleRef, subjects });
  }
  const answer = await post(`${accounts}/${name}/token`, { spec: { expirationSeconds: 86_400 } });
  return (answer as { status: { token: string } }).status.token;
}
