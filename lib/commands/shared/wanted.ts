import type { Wanted } from '../../repository/choose.js';

/** The backup that operand and options ask for. */
export function wantedOf(claim: string, { uid, snapshot, asOf }: Omit<Wanted, 'namespace' | 'pvc'>): Wanted {
  const [namespace = '', pvc = ''] = claim.split('/');
  return { namespace, pvc, uid, snapshot, asOf };
}
