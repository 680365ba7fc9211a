import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../../lib/kube/types.js';
import { apiVersion, typeOfKind, type ResourceType } from '../resources.js';
import { alreadyExists, badRequest, conflict, expired, invalid, notFound } from './status.js';

export type StoredObject = KubeObject & {
  metadata: NonNullable<KubeObject['metadata']>;
  status?: Record<string, unknown>;
};

export interface ListQuery {
  namespace: string | undefined;
  limit: number;
  continueToken: string | null;
  matches: (object: StoredObject) => boolean;
}

/** What is left of a list that was answered in part: the rest is of the same moment. */
interface Remainder {
  items: StoredObject[];
  resourceVersion: string;
}

/** Kinds whose `status` is written through the subresource only: what `create` and `replace` say of it is dropped. */
const initialStatus: Record<string, Record<string, unknown>> = {
  PersistentVolumeClaim: { phase: 'Pending' },
  PersistentVolume: { phase: 'Pending' },
  Pod: { phase: 'Pending' },
  Namespace: { phase: 'Active' },
  VolumeAttachment: { attached: false },
};
const namespaces = typeOfKind('Namespace');
const nameFormat = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** The objects of all kinds, with the API's rules for UIDs, versions and lists. Objects in it are never changed in place. */
export class Store {
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  readonly #remainders = new Map<string, Remainder>();
  #version = 1;

  create(type: ResourceType, namespace: string | undefined, given: KubeObject): StoredObject {
    const name = given.metadata?.name ?? '';
    if (
      type.namespaced &&
      given.metadata?.namespace !== undefined &&
      given.metadata.namespace !== namespace
    ) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    if (!nameFormat.test(name))
      throw invalid(`${type.kind} "${name}" is invalid: metadata.name: Invalid value`);
    checkEvent(type, namespace, given);
    if (given.metadata?.resourceVersion !== undefined) {
      throw badRequest('resourceVersion should not be set on objects to be created');
    }
    const objects = this.#of(type);
    const key = keyOf(namespace, name);
    if (objects.has(key)) throw alreadyExists(type, name);
    const status = initialStatus[type.kind];
    const object: StoredObject = {
      ...given,
      apiVersion: apiVersion(type),
      kind: type.kind,
      metadata: {
        ...given.metadata,
        ...(namespace === undefined ? {} : { namespace }),
        uid: randomUUID(),
        creationTimestamp: seconds(new Date()),
        resourceVersion: this.#next(),
      },
      ...(status === undefined ? {} : { status }),
    };
    objects.set(key, object);
    return object;
  }

  get(type: ResourceType, namespace: string | undefined, name: string): StoredObject {
    const object = this.#of(type).get(keyOf(namespace, name));
    if (object === undefined) throw notFound(type, name);
    return object;
  }

  /** Stores `given` over `current`; `part` says which half of the object the request may change. */
  replace(
    type: ResourceType,
    current: StoredObject,
    given: KubeObject,
    part: 'object' | 'status',
  ): StoredObject {
    const { name = '', namespace, uid, creationTimestamp, resourceVersion } = current.metadata;
    const claimed = given.metadata ?? {};
    if ((claimed.name ?? name) !== name) {
      throw badRequest(
        `the name of the object (${claimed.name ?? ''}) does not match the name on the URL (${name})`,
      );
    }
    if (claimed.resourceVersion === undefined && type.kind === 'Lease') {
      throw invalid(
        `${type.plural} "${name}" is invalid: metadata.resourceVersion: must be specified for an update`,
      );
    }
    if (claimed.resourceVersion !== undefined && claimed.resourceVersion !== resourceVersion) {
      throw conflict(type, name);
    }
    if (claimed.uid !== undefined && claimed.uid !== uid) throw conflict(type, name);
    const fixed = { name, namespace, uid, creationTimestamp, resourceVersion };
    const status = (given as StoredObject).status;
    const next = (
      part === 'status'
        ? { ...current, status }
        : {
            ...given,
            apiVersion: current.apiVersion,
            kind: current.kind,
            metadata: { ...claimed, ...fixed },
            ...(type.kind in initialStatus ? { status: current.status } : {}),
          }
    ) as StoredObject;
    // A write that changes nothing makes no new version.
    if (isDeepStrictEqual(stripped(next), stripped(current))) return current;
    const object = { ...next, metadata: { ...next.metadata, resourceVersion: this.#next() } };
    this.#of(type).set(keyOf(namespace, name), object);
    return object;
  }

  remove(type: ResourceType, namespace: string | undefined, name: string): StoredObject {
    const object = this.get(type, namespace, name);
    this.#of(type).delete(keyOf(namespace, name));
    this.#next();
    return object;
  }

  /** @throws StatusError 404 */
  requireNamespace(name: string): void {
    if (!this.#of(namespaces).has(keyOf(undefined, name))) throw notFound(namespaces, name);
  }

  /** Everything within a namespace, for its removal. */
  clear(namespace: string): void {
    for (const objects of this.#objects.values()) {
      for (const [key, { metadata }] of objects) if (metadata.namespace === namespace) objects.delete(key);
    }
  }

  list(type: ResourceType, { namespace, limit, continueToken, matches }: ListQuery): unknown {
    const from =
      continueToken === null ? this.#snapshot(type, namespace) : this.#remainders.get(continueToken);
    if (from === undefined) throw expired();
    const all = from.items.filter(matches);
    const items = limit > 0 ? all.slice(0, limit) : all;
    const rest = all.slice(items.length);
    const metadata: Record<string, unknown> = { resourceVersion: from.resourceVersion };
    if (rest.length > 0) {
      const token = Buffer.from(randomUUID()).toString('base64url');
      this.#remainders.set(token, { items: rest, resourceVersion: from.resourceVersion });
      Object.assign(metadata, { continue: token, remainingItemCount: rest.length });
    }
    // As in the real API, the items of a list do not say their kind.
    const bare = items.map((object) => ({ ...object, apiVersion: undefined, kind: undefined }));
    return { kind: `${type.kind}List`, apiVersion: apiVersion(type), metadata, items: bare };
  }

  expireContinueTokens(): void {
    this.#remainders.clear();
  }

  #snapshot(type: ResourceType, namespace: string | undefined): Remainder {
    const items = [...this.#of(type)]
      .filter(([, object]) => namespace === undefined || object.metadata.namespace === namespace)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
    return { items, resourceVersion: String(this.#version) };
  }

  #of(type: ResourceType): Map<string, StoredObject> {
    const objects = this.#objects.get(type.plural) ?? new Map<string, StoredObject>();
    this.#objects.set(type.plural, objects);
    return objects;
  }

  #next(): string {
    this.#version += 1;
    return String(this.#version);
  }
}

/** @throws StatusError 422 */
function checkEvent({ kind }: ResourceType, namespace: string | undefined, given: KubeObject): void {
  if (kind !== 'Event') return;
  const { involvedObject } = given as { involvedObject?: { namespace?: string } };
  if (involvedObject?.namespace === namespace) return;
  throw invalid('Event is invalid: involvedObject.namespace: Invalid value: does not match event.namespace');
}

/** A separator that sorts before every character of a name, so that keys sort as etcd's do. */
function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

function stripped(object: StoredObject): unknown {
  return JSON.parse(JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: '' } }));
}

/** Kubernetes' `Time`: whole seconds. */
function seconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
