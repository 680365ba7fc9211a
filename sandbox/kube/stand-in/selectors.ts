import { isObject } from './patch.js';
import type { StoredObject } from './store.js';
import { badRequest } from './status.js';

/** `fieldSelector` and `labelSelector` of a list request; of both, the forms `a=b`, `a==b` and `a!=b`. */
export function selector(fields: string | null, labels: string | null): (object: StoredObject) => boolean {
  const tests = [
    ...requirements(fields).map(({ key, value, equal }) => (object: StoredObject) => {
      const found = key
        .split('.')
        .reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), object);
      return ((typeof found === 'string' ? found : '') === value) === equal;
    }),
    ...requirements(labels).map(({ key, value, equal }) => (object: StoredObject) => {
      return (object.metadata.labels?.[key] === value) === equal;
    }),
  ];
  return (object) => tests.every((test) => test(object));
}

function requirements(text: string | null): { key: string; value: string; equal: boolean }[] {
  if (text === null || text === '') return [];
  return text.split(',').map((part) => {
    const match = /^([^=!]+)(==?|!=)([^=!]*)$/.exec(part);
    if (match === null) throw badRequest(`the stand-in does not understand the selector ${part}`);
    return { key: match[1] ?? '', value: match[3] ?? '', equal: match[2] !== '!=' };
  });
}
