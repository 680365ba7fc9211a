import type { Reason } from './types.js';

/** What an object's annotation says; null where it is not set. */
export type Say = boolean | null;

/** The part of a reason that follows from annotations alone. */
export type Verdict = Extract<Reason, `${string}-false` | `${string}-true` | 'default'>;

/**
 * Whether a claim is to be backed up, and who decided that. An administrator (PersistentVolume, namespace) overrides a
 * user (PersistentVolumeClaim): the PersistentVolume decides alone where it says anything; else neither the namespace
 * nor the claim may say no.
 */
export function verdict(pv: Say, namespace: Say, pvc: Say): Verdict {
  if (pv !== null) return pv ? 'pv-true' : 'pv-false';
  if (namespace === false) return 'namespace-false';
  if (pvc === false) return 'pvc-false';
  if (pvc === true) return 'pvc-true';
  return namespace === true ? 'namespace-true' : 'default';
}

/** @param optIn whether what no annotation names is left out */
export function selects(decision: Verdict, optIn: boolean): boolean {
  if (decision === 'default') return !optIn;
  return decision !== 'pv-false' && decision !== 'namespace-false' && decision !== 'pvc-false';
}
