import type { KubeObject, ObjectMeta, PersistentVolume } from '../../lib/kube/types.js';
import { apiVersion, resourcePath, typeOfKind } from './resources.js';
import type { AdminRequest, Answer } from './types.js';

type Seeded = KubeObject & { status?: unknown };

/** Claims come before volumes, because a volume names its claim's UID, which only the API knows. */
const order = ['Namespace', 'StorageClass', 'PersistentVolumeClaim', 'PersistentVolume'];
/** Requests at a time; more only queue in the server. */
const width = 16;

/** See SandboxKube.seed. No controller runs here, so nothing but this sets a binding. */
export async function seed(request: AdminRequest, objects: readonly KubeObject[]): Promise<KubeObject[]> {
  const stored = new Map<KubeObject, KubeObject>();
  const missing = await missingNamespaces(request, objects);
  const uids = new Map<string, string>();
  const ranks = [...order, null];
  for (const rank of ranks) {
    const now = [...(rank === 'Namespace' ? missing : []), ...objects].filter((object) =>
      rank === null ? !order.includes(object.kind ?? '') : object.kind === rank,
    );
    await inParallel(now, async (object) => {
      const result = await create(request, rank === 'PersistentVolume' ? bound(object, uids) : object);
      stored.set(object, result);
      if (rank === 'PersistentVolumeClaim') remember(uids, object, result);
    });
  }
  return objects.map((object) => stored.get(object) ?? object);
}

function remember(uids: Map<string, string>, given: KubeObject, stored: KubeObject): void {
  const uid = stored.metadata?.uid;
  if (uid === undefined) return;
  uids.set(`${given.metadata?.namespace ?? 'default'}/${given.metadata?.name ?? ''}`, uid);
  if (given.metadata?.uid !== undefined) uids.set(given.metadata.uid, uid);
}

/** The volume with the UID that its claim got from the API. */
function bound(object: KubeObject, uids: ReadonlyMap<string, string>): KubeObject {
  const volume = object as PersistentVolume;
  const ref = volume.spec?.claimRef;
  if (ref === undefined) return volume;
  const key = ref.uid ?? `${ref.namespace ?? ''}/${ref.name ?? ''}`;
  const uid = uids.get(key) ?? ref.uid;
  if (uid === undefined) return volume;
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...ref, uid };
  const whole: PersistentVolume = { ...volume, spec: { ...volume.spec, claimRef } };
  return whole;
}

async function missingNamespaces(
  request: AdminRequest,
  objects: readonly KubeObject[],
): Promise<KubeObject[]> {
  const listed = expect(await request('GET', '/api/v1/namespaces'), 'list namespaces') as {
    items: KubeObject[];
  };
  const known = new Set(
    [...listed.items, ...objects.filter(({ kind }) => kind === 'Namespace')].map((n) => n.metadata?.name),
  );
  const wanted = objects
    .filter(({ kind }) => typeOfKind(kind).namespaced)
    .map(({ metadata }) => metadata?.namespace ?? 'default');
  return [...new Set(wanted)]
    .filter((name) => !known.has(name))
    .map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
}

/** Creates an object; one that exists already (kube-system, say) gets the labels, annotations and status given. */
async function create(request: AdminRequest, object: Seeded): Promise<KubeObject> {
  const type = typeOfKind(object.kind);
  const given = writable(object.metadata);
  const metadata = type.namespaced ? { ...given, namespace: given.namespace ?? 'default' } : given;
  const { status, ...rest } = { ...object, apiVersion: apiVersion(type), metadata };
  const what = `${type.plural} ${metadata.name ?? ''}`;
  const collection = resourcePath(type, metadata.namespace);
  const item = `${collection}/${metadata.name ?? ''}`;
  const merge = 'application/merge-patch+json';
  let answer = await request('POST', collection, rest);
  if (answer.status === 409) {
    const { labels, annotations } = metadata;
    answer = await request('PATCH', item, { metadata: { labels, annotations } }, merge);
  }
  const created = expect(answer, `create ${what}`);
  if (status === undefined || type.kind === 'Namespace') return created as KubeObject;
  return expect(
    await request('PATCH', `${item}/status`, { status }, merge),
    `set the status of ${what}`,
  ) as KubeObject;
}

/** Without what only the API sets. */
function writable(metadata: ObjectMeta = {}): ObjectMeta {
  const copy = { ...metadata };
  delete copy.uid;
  delete copy.resourceVersion;
  delete copy.creationTimestamp;
  return copy;
}

function expect({ status, body }: Answer, what: string): unknown {
  if (status < 200 || status > 299) throw new Error(`could not ${what}: ${status} ${JSON.stringify(body)}`);
  return body;
}

async function inParallel<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await task(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
