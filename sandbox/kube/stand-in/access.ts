import type { Rule } from '../types.js';
import { StatusError } from './status.js';

export interface Attributes {
  verb: string;
  group: string;
  /** Plural name, with the subresource if there is one. */
  resource: string;
  namespace: string | undefined;
  name: string | undefined;
}

export interface Account {
  user: string;
  rules: readonly Rule[];
  /** Whether its requests are recorded and may be made to fail; the sandbox's own are not. */
  observed: boolean;
}

/** Who may do what, by bearer token: the part of RBAC that a Role or ClusterRole without resource names has. */
export class Access {
  readonly #accounts = new Map<string, Account>();

  add(token: string, account: Account): void {
    this.#accounts.set(token, account);
  }

  /** @throws StatusError 401 */
  authenticate(authorization: string | undefined): Account {
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    const account = token === undefined ? undefined : this.#accounts.get(token);
    if (account === undefined) throw new StatusError(401, 'Unauthorized', 'Unauthorized');
    return account;
  }

  allows({ rules }: Account, { verb, group, resource, namespace }: Attributes): boolean {
    const has = (list: readonly string[], value: string) => list.includes(value) || list.includes('*');
    return rules.some(
      (rule) =>
        (rule.namespace === undefined || rule.namespace === namespace) &&
        has(rule.apiGroups, group) &&
        has(rule.resources, resource) &&
        has(rule.verbs, verb),
    );
  }

  /** @throws StatusError 403 */
  authorize(account: Account, attributes: Attributes): void {
    if (this.allows(account, attributes)) return;
    const { verb, group, resource, namespace, name } = attributes;
    const what =
      (group === '' ? resource : `${resource}.${group}`) + (name === undefined ? '' : ` "${name}"`);
    const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    const message = `${what} is forbidden: User "${account.user}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`;
    throw new StatusError(403, 'Forbidden', message, { name, group, kind: resource });
  }
}

/** What a method does to a collection or an object. */
export function verbOf(method: string, isItem: boolean): string | undefined {
  const verbs: Record<string, string> = isItem
    ? { GET: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }
    : { GET: 'list', POST: 'create' };
  return verbs[method];
}

/** SelfSubjectAccessReview, as `kubectl auth can-i` asks. */
export function accessReview(access: Access, account: Account, review: unknown): unknown {
  const asked = (review as { spec?: { resourceAttributes?: Record<string, string | undefined> } }).spec
    ?.resourceAttributes;
  const resource = [asked?.resource ?? '', asked?.subresource ?? ''].filter((part) => part !== '').join('/');
  const allowed = access.allows(account, {
    verb: asked?.verb ?? '',
    group: asked?.group ?? '',
    resource,
    namespace: asked?.namespace === '' ? undefined : asked?.namespace,
    name: asked?.name,
  });
  return { ...(review as object), status: { allowed } };
}
