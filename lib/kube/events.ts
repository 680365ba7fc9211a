import { createHash } from 'node:crypto';
import { asCephbackupError } from '../errors/error.js';
import { printable } from '../log/logger.js';
import { rfc3339, type EpochMs } from '../log/time.js';
import type { KubeApi, RequestOptions } from './api.js';
import { hasStatus } from './errors.js';
import { eventsPath } from './paths.js';
import type { KubeObject } from './types.js';

export interface BackupEvent {
  claim: { namespace: string; name: string; uid: string };
  reason: 'BackupSucceeded' | 'BackupFailed';
  /** Tenants read it: nothing of the storage below may be in it. */
  message: string;
  /** The run; one run tells one thing about a claim once. */
  runId: string;
  time: EpochMs;
}

/** The API refuses more (bytes). */
const messageLimitBytes = 1_024;
const ellipsis = '…';
/** An event is not worth waiting long for. */
const patienceMs = 10_000;

/** Writes an event that `kubectl describe pvc` shows. It never throws: what goes wrong is returned as a warning. */
export async function recordEvent(
  api: KubeApi,
  event: BackupEvent,
  options: RequestOptions = {},
): Promise<string | null> {
  const { namespace, name } = event.claim;
  try {
    // The name makes it repeatable: a second attempt finds what the first one wrote.
    await api.create(eventsPath(namespace), eventObject(event), {
      patienceMs,
      ...options,
      repeatable: true,
    });
    return null;
  } catch (thrown) {
    if (hasStatus(thrown, 409) && thrown.reason === 'AlreadyExists') return null;
    return `no event on ${namespace}/${name}: ${asCephbackupError(thrown).message}`;
  }
}

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/, in its core/v1 form. */
function eventObject({ claim, reason, message, runId, time }: BackupEvent): KubeObject & { message: string } {
  const at = rfc3339(time);
  const id = createHash('sha256').update(`${runId}/${claim.uid}/${reason}`).digest('hex').slice(0, 16);
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    // Names have at most 253 characters; those of claims, too.
    metadata: { name: `${claim.name.slice(0, 200).replace(/[-.]+$/, '')}.${id}`, namespace: claim.namespace },
    involvedObject: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...claim },
    type: reason === 'BackupSucceeded' ? 'Normal' : 'Warning',
    reason,
    message: cutBytes(printable(message), messageLimitBytes),
    source: { component: 'cephbackup' },
    reportingComponent: 'cephbackup',
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  };
  return event;
}

/** At most `limit` bytes of UTF-8, cut between characters. */
export function cutBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit - Buffer.byteLength(ellipsis);
  // Bytes 10xxxxxx continue a character.
  while (((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end -= 1;
  return bytes.subarray(0, end).toString() + ellipsis;
}
