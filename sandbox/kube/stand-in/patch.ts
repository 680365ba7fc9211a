import { isDeepStrictEqual } from 'node:util';
import { badRequest, invalid, StatusError } from './status.js';

type Json = Record<string, unknown>;

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/** Applies a patch to a copy of `object`, as the API server does. @throws StatusError 415, 400, 422 */
export function applyPatch(contentType: string, object: unknown, patch: unknown): unknown {
  if (contentType === 'application/merge-patch+json') return mergePatch(structuredClone(object), patch);
  if (contentType === 'application/json-patch+json') {
    if (!Array.isArray(patch))
      throw badRequest('error decoding patch: cannot unmarshal object into a JSON patch');
    return jsonPatch(structuredClone(object), patch as Operation[]);
  }
  const message = `the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json`;
  throw new StatusError(415, 'UnsupportedMediaType', message);
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Json = isObject(target) ? target : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** RFC 6902, the operations on objects: nothing here patches arrays. */
function jsonPatch(document: unknown, operations: Operation[]): unknown {
  for (const { op, path, value } of operations) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop();
    const parent = keys.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), document);
    if (last === undefined || !isObject(parent)) throw rejected();
    // As in the real server, an absent member equals null.
    if (op === 'test' && !isDeepStrictEqual(parent[last] ?? null, value ?? null)) throw rejected();
    if ((op === 'remove' || op === 'replace') && !Object.hasOwn(parent, last)) throw rejected();
    if (op === 'add' || op === 'replace') parent[last] = value;
    else if (op === 'remove') Reflect.deleteProperty(parent, last);
    else if (op !== 'test') throw badRequest(`the stand-in does not know the operation ${op}`);
  }
  return document;
}

/** The real server does not say which operation failed. */
function rejected(): StatusError {
  return invalid('the server rejected our request due to an error in our request');
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
