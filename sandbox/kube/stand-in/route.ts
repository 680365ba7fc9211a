import { resourceTypes, type ResourceType } from '../resources.js';
import { unknownPath } from './status.js';

/** What a path names. */
export interface Route {
  type: ResourceType;
  namespace: string | undefined;
  name: string | undefined;
  subresource: 'status' | undefined;
}

export const accessReviews: ResourceType = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectaccessreviews',
  kind: 'SelfSubjectAccessReview',
  namespaced: false,
};
const types = [...resourceTypes, accessReviews];

/** @throws StatusError 404 */
export function route(path: string): Route {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const group = parts[0] === 'apis' ? parts[1] : parts[0] === 'api' ? '' : undefined;
  const [version, ...rest] = parts.slice(group === '' ? 1 : 2);
  // /namespaces/NAME and /namespaces/NAME/status are the namespace itself; anything else below lies within it.
  const within = rest[0] === 'namespaces' && rest.length > 2 && !(rest.length === 3 && rest[2] === 'status');
  const namespace = within ? rest[1] : undefined;
  const [plural, name, subresource, ...more] = within ? rest.slice(2) : rest;
  const type = types.find((known) => known.plural === plural && known.group === group);
  if (type === undefined || version !== type.version || more.length > 0) throw unknownPath();
  if (subresource !== undefined && subresource !== 'status') throw unknownPath();
  if (!type.namespaced && within) throw unknownPath();
  return { type, namespace, name, subresource };
}
