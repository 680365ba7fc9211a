import { CephbackupError } from '../errors/error.js';
import { hasStatus } from './errors.js';
import type { KubeObject, ObjectMeta } from './types.js';

export interface ListPage {
  apiVersion?: string;
  kind?: string;
  metadata?: { continue?: string };
  items: KubeObject[];
}

/** Fetches one page of a list with these query parameters. */
export type FetchPage = (query: Record<string, string>) => Promise<ListPage>;

const pageSize = 500;
/** From this attempt on the list is asked for in one piece, which cannot expire. */
const wholeFrom = 3;
const attempts = 5;

/**
 * The whole list, all pages of one moment. Where the server forgets that moment in between (410), everything starts
 * over: going on would miss what changed. Items get the `apiVersion` and `kind` that lists leave out.
 *
 * @throws CephbackupError KUBE_FAILED where the pages do not end, and what `fetchPage` throws.
 */
export async function collectPages(fetchPage: FetchPage): Promise<KubeObject[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await collectOnce(fetchPage, attempt < wholeFrom ? { limit: String(pageSize) } : {});
    } catch (thrown) {
      if (!hasStatus(thrown, 410) || attempt >= attempts) throw thrown;
    }
  }
}

async function collectOnce(fetchPage: FetchPage, query: Record<string, string>): Promise<KubeObject[]> {
  const items: KubeObject[] = [];
  let token = '';
  for (;;) {
    const page = await fetchPage(token === '' ? query : { ...query, continue: token });
    for (const item of page.items) items.push(complete(item, page));
    const next = page.metadata?.continue ?? '';
    if (next === '') return items;
    if (next === token)
      throw new CephbackupError('KUBE_FAILED', 'the Kubernetes API repeats a page of a list');
    token = next;
  }
}

/** As `kubectl get -o json` prints it: with its kind, without who wrote which field. */
function complete(item: KubeObject, { apiVersion, kind }: ListPage): KubeObject {
  const metadata: ObjectMeta & { managedFields?: unknown } = { ...item.metadata };
  delete metadata.managedFields;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind: kind.replace(/List$/, '') }),
    ...item,
    metadata,
  };
}
