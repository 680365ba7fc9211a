import { describe, expect, test } from '@jest/globals';
import { dump } from 'js-yaml';
import { parseDump } from '../../lib/kube/dump/read.js';
import type { Inventory } from '../../lib/kube/types.js';

const object = (kind: string, name: string, namespace?: string) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});
const ns = object('Namespace', 'team');
const pv = object('PersistentVolume', 'pv-1');
const pvc = object('PersistentVolumeClaim', 'data', 'team');
const list = (...items: unknown[]) => ({ apiVersion: 'v1', kind: 'List', items, metadata: {} });

/** The names of what was found, by kind. */
function names({ namespaces, persistentVolumes, persistentVolumeClaims }: Inventory) {
  const of = (objects: { metadata?: { name?: string } }[]) => objects.map(({ metadata }) => metadata?.name);
  return { ns: of(namespaces), pv: of(persistentVolumes), pvc: of(persistentVolumeClaims) };
}
const all = { ns: ['team'], pv: ['pv-1'], pvc: ['data'] };

describe('a dump is read from', () => {
  test.each<[string, string]>([
    ['a List in JSON', JSON.stringify(list(ns, pv, pvc), null, 4)],
    ['a List in YAML', dump(list(ns, pv, pvc))],
    ['several YAML documents', [ns, pv, pvc].map((item) => dump(item)).join('---\n')],
    [
      'YAML documents with empty ones between',
      `---\n${[ns, pv, pvc].map((item) => dump(item)).join('---\n---\n# nothing\n---\n')}...\n`,
    ],
    [
      'JSON documents one after another',
      [ns, pv, pvc].map((item) => JSON.stringify(item, null, 2)).join('\n'),
    ],
    [
      'JSON documents without a space between',
      [list(ns, pv), pvc].map((item) => JSON.stringify(item)).join(''),
    ],
    ['lists within lists', JSON.stringify(list(list(ns), list(list(pv, list()), pvc)))],
    ['an array', JSON.stringify([ns, list(pv, pvc)])],
    [
      'other kinds between',
      JSON.stringify(list(object('Pod', 'p', 'team'), ns, pv, object('Secret', 's', 'team'), pvc)),
    ],
    ['a byte order mark', `\uFEFF${JSON.stringify(list(ns, pv, pvc))}`],
    ['Windows line ends', dump(list(ns, pv, pvc)).replaceAll('\n', '\r\n')],
    [
      "an API server's lists, whose items have no kind",
      JSON.stringify([
        { kind: 'NamespaceList', items: [{ metadata: ns.metadata }] },
        { kind: 'PersistentVolumeList', items: [{ metadata: pv.metadata }] },
        { kind: 'PersistentVolumeClaimList', items: [{ metadata: pvc.metadata }] },
      ]),
    ],
  ])('%s', async (_, text) => {
    expect(names(await parseDump(text))).toEqual(all);
  });

  test('nothing but a list', async () => {
    expect(names(await parseDump(JSON.stringify(list())))).toEqual({ ns: [], pv: [], pvc: [] });
  });

  test('the same object twice: the last counts', async () => {
    const later = { ...pv, spec: { volumeMode: 'Block' } };
    const read = await parseDump(
      JSON.stringify(list(pv, pvc, later, pvc, object('PersistentVolumeClaim', 'data', 'b'))),
    );
    expect(read.persistentVolumes).toEqual([later]);
    expect(read.persistentVolumeClaims).toHaveLength(2);
  });

  test('a list that contains itself', async () => {
    const text = `kind: List\nitems: &all\n- kind: Namespace\n  metadata: {name: team}\n- kind: List\n  items: *all\n`;
    expect(names(await parseDump(text)).ns).toEqual(['team']);
  });

  test('times and other text as they are', async () => {
    const text =
      'kind: PersistentVolume\nmetadata:\n  name: a\n  creationTimestamp: 2024-01-02T03:04:05Z\n  annotations:\n    a: "yes"\n    b: 2024-01-02\n';
    expect((await parseDump(text)).persistentVolumes[0]?.metadata).toEqual({
      name: 'a',
      creationTimestamp: '2024-01-02T03:04:05Z',
      annotations: { a: 'yes', b: '2024-01-02' },
    });
  });

  test('braces and quotes within strings of a JSON stream', async () => {
    const odd = { ...pv, metadata: { name: 'pv-1', annotations: { a: '"}{\\', b: ']["' } } };
    expect(names(await parseDump(`${JSON.stringify(odd)} ${JSON.stringify(list(ns, pvc))}`))).toEqual(all);
  });
});

describe('what cannot be read says where', () => {
  test.each<[string, string, string]>([
    ['nothing', '', 'the input is empty'],
    ['white space', ' \n\n', 'the input is empty'],
    ['empty documents', '---\n---\n', 'the input is empty'],
    ['JSON null', '[null]', 'the document[0] is no Kubernetes object'],
    ['text', 'hello', 'the document is no Kubernetes object'],
    ['a number', '42', 'the document is no Kubernetes object'],
    ['cut off JSON', '{"kind":"List",\n"items":[', 'line 2, column 10: it ends too early'],
    ['cut off within a string', '{"kind":"List",\n"items', 'line 2'],
    ['wrong JSON', '{"kind":"List",\n  "items": nope}', 'line 2, column 12'],
    ['a wrong second document', '{"kind":"Pod"}\n{"kind":nope}', 'line 2, column 9'],
    ['a value that is missing', '{"kind":"Pod",\n"a":}', "no JSON: Unexpected token '}'"],
    ['a comma that is missing', '{"kind":"Pod"\n"a":1}', 'line 2, column 1: '],
    ['more closing brackets than opening ones', '{"kind":"Pod"}}', "Unexpected token '}'"],
    ['wrong YAML', 'kind: List\nitems: [a, b\n', 'neither JSON nor YAML: line '],
    ['an unknown tag', 'kind: !!js/function "f"\n', 'neither JSON nor YAML: line 1'],
    ['no kind', '{"metadata":{"name":"a"}}', 'the document is no Kubernetes object: it has no kind'],
    ['a kind that is no text', '{"kind":5}', 'it has no kind'],
    ['a list without items', '{"kind":"List"}', 'the document, a List, has no items'],
    ['items that are none', '{"kind":"List","items":{"a":1}}', 'the document, a List, has no items'],
    [
      'an item that is none',
      JSON.stringify(list(ns, pv, 'x')),
      'the document, items[2] is no Kubernetes object',
    ],
    [
      'an item of an inner list',
      JSON.stringify([list(ns), list(list(pv, null))]),
      'the document[1], items[0], items[1] is no',
    ],
    ['the second of two documents', 'kind: Pod\n---\n[1]\n', 'document 2[0] is no Kubernetes object'],
  ])('%s', async (_, text, message) => {
    const error: unknown = await parseDump(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'INPUT_UNREADABLE', kind: 'usage' });
    expect(String(error)).toContain(message);
  });

  test('with control characters made visible', async () => {
    await expect(parseDump('{"kind":"\\u001b[31mList"}')).rejects.toThrow(
      'the document, a \\u001b[31mList, has no items',
    );
  });
});
