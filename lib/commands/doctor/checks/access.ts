import type { KubeApi, RequestOptions } from '../../../kube/api.js';
import { accessReviewsPath } from '../../../kube/paths.js';
import type { KubeObject } from '../../../kube/types.js';

export interface Right {
  /** API group; empty: core. */
  group: string;
  /** With the subresource, where it is one: `pods/exec`. */
  resource: string;
  verb: string;
  /** Only there; in all namespaces where it is absent. */
  namespace?: string;
}

interface AccessReview extends KubeObject {
  spec: { resourceAttributes: Record<string, string> };
  status?: { allowed?: boolean };
}

/** Asks the API whether this program may do something; nothing is done. @throws as KubeApi */
export async function isAllowed(
  api: KubeApi,
  { group, resource, verb, namespace }: Right,
  options: RequestOptions = {},
): Promise<boolean> {
  const [plural = '', subresource] = resource.split('/');
  const part = subresource === undefined ? {} : { subresource };
  const where = namespace === undefined ? {} : { namespace };
  const review: AccessReview = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { group, resource: plural, ...part, verb, ...where } },
  };
  const answer = await api.create<AccessReview>(accessReviewsPath, review, { ...options, repeatable: true });
  return answer.status?.allowed === true;
}
