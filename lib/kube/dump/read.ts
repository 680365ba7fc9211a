import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { readDocuments } from './documents.js';
import type { Inventory } from '../types.js';

type Fields = Record<string, unknown>;

const wanted = new Set(['Namespace', 'PersistentVolume', 'PersistentVolumeClaim']);

/**
 * The output of `kubectl get ns,pv,pvc -A -o json|yaml`: a List, lists within lists, single objects, or several such
 * documents. Objects of other kinds are skipped, and so are copies of one object but for the last.
 *
 * @throws CephbackupError INPUT_UNREADABLE that says where
 */
export async function parseDump(text: string): Promise<Inventory> {
  const documents = await readDocuments(text);
  const collector = new Collector();
  documents.forEach((document, index) => {
    collector.add(document, documents.length === 1 ? 'the document' : `document ${index + 1}`, null);
  });
  return collector.inventory();
}

class Collector {
  readonly #objects = new Map<string, Map<string, unknown>>([...wanted].map((kind) => [kind, new Map()]));
  /** A YAML anchor can make a list contain itself. */
  readonly #lists = new Set<unknown>();
  #nameless = 0;

  /** `listKind`: what a list says its items are, where they do not say it themselves. */
  add(value: unknown, where: string, listKind: string | null): void {
    if (Array.isArray(value)) {
      this.#addItems(value, where, listKind);
      return;
    }
    if (typeof value !== 'object' || value === null) throw unreadable(`${where} is no Kubernetes object`);
    const object = value as Fields;
    const kind = typeof object.kind === 'string' ? object.kind : listKind;
    if (kind === null) throw unreadable(`${where} is no Kubernetes object: it has no kind`);
    if (kind.endsWith('List')) {
      if (!Array.isArray(object.items)) throw unreadable(`${where}, a ${printable(kind)}, has no items`);
      this.#addItems(object.items, `${where}, items`, kind === 'List' ? null : kind.slice(0, -'List'.length));
    } else {
      this.#objects.get(kind)?.set(this.#key(object), object);
    }
  }

  inventory(): Inventory {
    const all = (kind: string) => [...(this.#objects.get(kind)?.values() ?? [])];
    return {
      namespaces: all('Namespace') as Inventory['namespaces'],
      persistentVolumes: all('PersistentVolume') as Inventory['persistentVolumes'],
      persistentVolumeClaims: all('PersistentVolumeClaim') as Inventory['persistentVolumeClaims'],
    };
  }

  #addItems(items: unknown[], where: string, listKind: string | null): void {
    if (this.#lists.has(items)) return;
    this.#lists.add(items);
    items.forEach((item, index) => {
      this.add(item, `${where}[${index}]`, listKind);
    });
  }

  #key({ metadata }: Fields): string {
    const { namespace, name } = (metadata ?? {}) as Fields;
    if (typeof name !== 'string') return `#${(this.#nameless += 1)}`;
    return `${typeof namespace === 'string' ? namespace : ''}/${name}`;
  }
}

function unreadable(message: string): CephbackupError {
  return new CephbackupError('INPUT_UNREADABLE', message);
}
