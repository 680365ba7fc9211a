import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CephbackupError } from '../../lib/errors/error.js';
import { parseHooks } from '../../lib/hooks/annotations.js';
import { parseDump } from '../../lib/kube/dump/read.js';
import { parseKubeconfig, resolveContext } from '../../lib/kube/kubeconfig.js';
import { Annotations } from '../../lib/plan/annotations.js';
import { openImage, Qcow2Error } from '../../lib/qcow2/index.js';
import { parseTime } from '../../lib/plan/last-backup.js';
import { rootIn } from '../../lib/repository/root-note.js';
import { formatEntry, parseEntry } from '../../lib/tools/node/directory-attributes.js';
import { parseLock } from '../../lib/tools/restic/locks.js';
import { parseMessage } from '../../lib/tools/restic/messages.js';
import { DiffParser } from '../../lib/volumes/block/diff.js';
import { ExportDiffParser } from '../../lib/volumes/block/export-diff.js';
import { imageOf } from '../qcow2/disk.js';

/** `npm run test:fuzz` asks for many more; a failure prints the seed and the smallest input. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 300);
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) };
const options = { numRuns, ...seed };

/** Some bytes of a good input are others. */
const mutated = (good: Buffer) =>
  fc.array(fc.tuple(fc.nat(Math.max(0, good.length - 1)), fc.nat(255)), { maxLength: 12 }).chain((changes) =>
    fc.nat(good.length).map((cut) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      return cut % 3 === 0 ? bytes.subarray(0, cut) : bytes;
    }),
  );
const anyBytes = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What it comes to, or the code of the error that it may throw; any other error is a defect. */
function outcome<T>(code: string, work: () => T): T | string {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof CephbackupError && thrown.code === code) return code;
    throw thrown;
  }
}

const number64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const exported = Buffer.concat([
  Buffer.from('rbd diff v1\n'),
  Buffer.from('t\u0002\0\0\0ab'),
  Buffer.concat([Buffer.from('s'), number64(4096)]),
  Buffer.concat([Buffer.from('w'), number64(0), number64(5), Buffer.from('hello')]),
  Buffer.concat([Buffer.from('z'), number64(1024), number64(512)]),
  Buffer.from('e'),
]);

describe('of foreign bytes comes a value or a known error, in whatever pieces they come', () => {
  test('rbd export-diff', () => {
    const parse = (bytes: Buffer, size: number) =>
      outcome('EXPORT_INVALID', () => {
        const parser = new ExportDiffParser();
        let total = 0;
        for (const piece of pieces(bytes, size))
          for (const part of parser.push(piece)) total += part.type === 'data' ? part.bytes.length : 1000;
        return parser.ended ? `${total} bytes` : 'not ended';
      });
    fc.assert(
      fc.property(fc.oneof(anyBytes, mutated(exported)), fc.integer({ min: 1, max: 64 }), (bytes, size) => {
        const whole = parse(bytes, bytes.length + 1);
        const cut = parse(bytes, size);
        // A record of data counts once for each of its pieces only by its bytes.
        if (whole.endsWith('bytes') || cut.endsWith('bytes')) expect(cut).toBe(whole);
      }),
      options,
    );
  });

  test('rbd diff', () => {
    const listed = Buffer.from(
      JSON.stringify([
        { offset: 0, length: 4096, exists: 'true' },
        { offset: 8192, length: 100, exists: false },
      ]),
    );
    const parse = (bytes: Buffer, size: number) =>
      outcome('COMMAND_OUTPUT_INVALID', () => {
        const parser = new DiffParser({ size: 1 << 20, objectSize: 4096 }, 3);
        for (const piece of pieces(bytes, size)) parser.push(piece);
        return JSON.stringify([...parser.end()]);
      });
    fc.assert(
      fc.property(fc.oneof(anyBytes, mutated(listed)), fc.integer({ min: 1, max: 64 }), (bytes, size) => {
        expect(parse(bytes, size)).toBe(parse(bytes, bytes.length + 1));
      }),
      options,
    );
  });

  test('an archive of tar', () => {
    const good = formatEntry({ mode: 0o750, uid: 5, gid: 6, mtime: '1.5', xattrs: [['user.a', 'YQ==']] });
    fc.assert(
      fc.property(fc.oneof(anyBytes, mutated(good)), (bytes) => {
        const entry = parseEntry(bytes);
        if (entry !== null) expect(Array.isArray(entry.xattrs)).toBe(true);
      }),
      options,
    );
  });

  test('an archive of tar, with any size of its first entry', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^-?[0-7]{1,10}$/), (size) => {
        const archive = Buffer.alloc(2048);
        archive.write(size, 124);
        archive.write('x', 156);
        expect(parseEntry(archive)).toBeNull();
      }),
      options,
    );
  });

  test('a dump of the API', async () => {
    const good = Buffer.from('kind: List\nitems:\n- kind: PersistentVolume\n  metadata: {name: a}\n');
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      mutated(good).map(String),
      mutated(Buffer.from('{"items":[{"kind":"Namespace"}]}')).map(String),
    );
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        const end = await parseDump(given).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        if (end !== null) expect(end).toBeInstanceOf(CephbackupError);
      }),
      options,
    );
  });

  test('notes, times, locks and messages', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json());
    fc.assert(
      fc.property(text, (given) => {
        const time = parseTime(given);
        if (time !== null) expect(Number.isFinite(time)).toBe(true);
        const message = parseMessage(given);
        if (message !== null) expect(typeof message).toBe('object');
        parseLock(given);
        parseLock(
          `already locked exclusively by PID 1 on ${given} by x\nlock was created at ${given} (${given})`,
        );
        rootIn([given, `cephbackup ${given}`]);
      }),
      options,
    );
  });

  test('a QCOW2 image', async () => {
    const data = Buffer.alloc(1000, 7);
    const extents = [0, 40_000, 99_000].map((offset) => ({ offset, data }));
    const good = Buffer.from(await imageOf({ size: 100_000, clusterBits: 9, extents }));
    const head = good.subarray(0, 4096);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(anyBytes, mutated(head)),
        fc.integer({ min: 1, max: 5000 }),
        async (bytes, size) => {
          const image = bytes.length === head.length ? Buffer.concat([bytes, good.subarray(4096)]) : bytes;
          try {
            const reader = await openImage(pieces(image, size));
            let end = 0;
            for await (const piece of reader.pieces()) {
              expect(piece.offset).toBeGreaterThanOrEqual(end);
              end = piece.offset + piece.bytes.length;
            }
            expect(end).toBeLessThanOrEqual(reader.virtualSize);
          } catch (thrown) {
            if (!(thrown instanceof Qcow2Error)) throw thrown;
          }
        },
      ),
      options,
    );
  });

  test('a kubeconfig, whatever its fields are', async () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>('a', '', 'https://127.0.0.1:6443', './plugin', null, true, 5, -0.5),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const fieldsOf = (keys: readonly string[]) => fc.dictionary(fc.constantFrom(...keys), value);
    const exec = fieldsOf(['command', 'args', 'env', 'apiVersion', 'provideClusterInfo']);
    const user = fc.record(
      {
        token: value,
        tokenFile: value,
        'as-groups': value,
        'auth-provider': value,
        exec: fc.oneof(exec, value),
      },
      { requiredKeys: [] },
    );
    const entries = (key: string, fields: fc.Arbitrary<unknown>) =>
      fc.oneof(
        fc.array(fc.record({ name: fc.oneof(fc.constant('a'), value), [key]: fc.oneof(fields, value) })),
        value,
      );
    const config = fc.record(
      {
        'current-context': fc.oneof(fc.constant('a'), value),
        clusters: entries(
          'cluster',
          fc.oneof(fc.constant({ server: 'https://127.0.0.1:6443' }), fieldsOf(['server', 'proxy-url'])),
        ),
        users: entries('user', user),
        contexts: entries(
          'context',
          fc.oneof(fc.constant({ cluster: 'a', user: 'a' }), fieldsOf(['cluster', 'user', 'namespace'])),
        ),
      },
      { requiredKeys: [] },
    );
    const good = Buffer.from('current-context: a\nusers:\n- name: a\n  user: {token: abc}\nclusters: []\n');
    const text = fc.oneof(
      config.map((fields) => JSON.stringify(fields)),
      mutated(good).map(String),
      fc.string(),
    );
    const texts = ['token', 'tokenFile', 'as', 'as-uid', 'client-key'] as const;
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        try {
          const { server, namespace, user } = resolveContext(
            [await parseKubeconfig(given, '/k/config')],
            'k',
          );
          for (const one of [server, namespace, ...texts.map((key) => user[key]), user.exec?.command])
            expect(['string', 'undefined']).toContain(typeof one);
          for (const word of user.exec?.args ?? []) expect(typeof word).toBe('string');
        } catch (thrown) {
          if (!(thrown instanceof CephbackupError && thrown.code === 'KUBECONFIG_INVALID')) throw thrown;
        }
      }),
      options,
    );
  });

  test('annotations of volumes and of pods', () => {
    const word = fc.oneof(
      fc.constantFrom<unknown>(
        'true',
        ' FALSE ',
        'image',
        '30s',
        '0s',
        '["a"]',
        '[ -e x ] && y',
        'fail',
        '[a',
        '../x',
      ),
      fc.string({ unit: 'binary' }),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const key = fc.oneof(
      fc.constantFrom(
        ...['backup', 'backupa', 'mode', 'group', 'exclude', 'pre-snapshot', 'post-snapshot'],
        ...['hook-container', 'hook-timeout', 'hook-on-error', '__proto__', 'constructor'],
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(key, word)), (pairs) => {
        const fields = Object.fromEntries(pairs.map(([name, value]) => [`p/${name}`, value]));
        const told: string[] = [];
        const warn = (_: string, line: string) => told.push(line);
        for (const kind of ['persistentvolume', 'namespace', 'persistentvolumeclaim'] as const) {
          const read = new Annotations(kind, 'ns/a', fields, 'p', warn);
          expect([true, false, null]).toContain(read.backup());
          expect(typeof read.imageMode()).toBe('boolean');
          expect(read.group() ?? 'a').toMatch(/^[\w.-]{1,63}$/);
          for (const pattern of read.excludes()) expect(pattern).not.toMatch(/\n|^$|(^|\/)\.\.(\/|$)/);
          read.checkKeys();
        }
        const hooks = parseHooks(fields, 'p');
        for (const argv of [hooks?.pre, hooks?.post])
          for (const part of argv ?? []) expect(typeof part).toBe('string');
        if (hooks !== null) {
          expect(hooks.timeoutMs > 0 && hooks.timeoutMs <= 600_000).toBe(true);
          expect(['fail', 'continue']).toContain(hooks.onError);
          told.push(...hooks.warnings, hooks.problem ?? '');
        }
        // They are lines of a log, and go to a terminal.
        for (const line of told) expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f]/);
      }),
      options,
    );
  });
});
