import { describe, expect, test } from '@jest/globals';
import { listDocument } from '../../lib/plan/document.js';
import { buildPlan } from '../../lib/plan/plan.js';
import { everything, inventory, lineOf, lines, now, planOf, prefix, rbd, type Entry } from './world.js';

const nfs = { csi: { driver: 'nfs.csi.ceph.com', volumeHandle: 'x' } };
const nameless = { csi: { driver: 'rbd.csi.ceph.com', volumeHandle: 'x' } };
const notCeph = { hostPath: { path: '/' } };
const hour = 3_600_000;
const ago = (hours: number) => new Date(now.getTime() - hours * hour).toISOString();

describe('which claims are considered', () => {
  test.each<[string, Omit<Entry, 'claim'>, string]>([
    ['pending', { phase: 'Pending', spec: null }, 'not-bound'],
    ['lost', { phase: 'Lost' }, 'not-bound'],
    ['without its volume', { spec: null }, 'claim-mismatch'],
    ['with the volume of another claim', { claimRefUid: 'another' }, 'claim-mismatch'],
    ['with a volume that has no claim', { claimRefUid: '' }, 'claim-mismatch'],
    ['on other storage', { spec: notCeph }, 'not-ceph'],
    ['on Ceph', {}, 'default'],
  ])('%s', (_, entry, reason) => {
    expect(lineOf(entry)).toMatchObject({ reason, backup: reason === 'default' });
  });

  test('neither UIDs that are missing nor empty ones are equal', () => {
    for (const uid of [undefined, '', null, 0]) {
      const objects = inventory({ claim: 'team/data' });
      const spoilt = structuredClone(objects) as never as {
        persistentVolumeClaims: { metadata: { uid: unknown } }[];
        persistentVolumes: { spec: { claimRef: { uid: unknown } } }[];
      };
      for (const { metadata } of spoilt.persistentVolumeClaims) metadata.uid = uid;
      for (const { spec } of spoilt.persistentVolumes) spec.claimRef.uid = uid;
      expect(lines(buildPlan(spoilt as never, everything, now))).toEqual(['team/data claim-mismatch']);
    }
  });

  test("what is not considered has no kind and no source; what another claim's volume says is not told", () => {
    const mark = { 'last-backup': ago(1), odd: 'x' };
    const line = lineOf({ claimRefUid: 'another', pv: mark });
    expect(line).toMatchObject({
      pv: 'pv-team.data',
      kind: null,
      source: null,
      lastBackup: null,
      sizeBytes: null,
    });
    expect(planOf([{ claim: 'team/data', claimRefUid: 'another', pv: mark }]).warnings).toEqual([]);
    expect(lineOf({ spec: notCeph, pv: mark })).toMatchObject({
      kind: null,
      source: null,
      sizeBytes: 2 ** 30,
    });
    expect(lineOf({ phase: 'Pending' })).toMatchObject({ kind: null, source: null, details: null });
    expect(lineOf({ spec: null })).toMatchObject({ pv: 'pv-team.data', kind: null, sizeBytes: null });
  });
});

describe('reasons in their order', () => {
  /** Everything that could apply at once; each row takes the first reason away. */
  const rival: Entry = { claim: 'a/nspvc-x', pv: { backup: 'true' } };
  const all: Entry = {
    claim: 'a-nspvc/x',
    phase: 'Pending',
    claimRefUid: 'another',
    spec: notCeph,
    pv: { backup: 'false', 'last-backup': ago(1) },
    namespace: { backup: 'false' },
    pvc: { backup: 'false' },
  };
  const steps: [string, Partial<Entry>][] = [
    ['not-bound', {}],
    ['claim-mismatch', { phase: 'Bound' }],
    ['not-ceph', { claimRefUid: 'uid-of-a-nspvc/x' }],
    ['pv-false', { spec: nfs }],
    ['namespace-false', { pv: { 'last-backup': ago(1) } }],
    ['pvc-false', { namespace: { backup: 'true' } }],
    ['unsupported', { pvc: { backup: 'true' } }],
    ['host-collision', { spec: rbd }],
    ['recent', {}],
    ['other-shard', { pv: {} }],
    ['pvc-true', {}],
    ['namespace-true', { pvc: {} }],
    ['default', { namespace: {} }],
    ['pv-true', { pv: { backup: 'true' } }],
  ];
  const backedUp = ['unsupported', 'host-collision', 'pvc-true', 'namespace-true', 'default', 'pv-true'];
  /** By `printf %s uid-of-a-nspvc/x | sha256sum`, which begins with 3c6c1490. */
  const shardOfX = 0;
  test.each(steps.map(([reason], index) => ({ reason, index })))('$reason', ({ reason, index }) => {
    const entry = Object.assign({}, all, ...steps.slice(0, index + 1).map(([, change]) => change)) as Entry;
    const others = index <= 7 ? [rival] : [];
    const sharded = index <= 9;
    const { volumes } = planOf([entry, ...others], {
      minAgeMs: 2 * hour,
      shard: sharded ? { index: 1 - shardOfX, count: 2 } : null,
    });
    const line = volumes.find(({ pvc }) => pvc === 'x');
    expect(line).toMatchObject({ reason, backup: backedUp.includes(reason) });
  });
});

describe('collisions of hosts', () => {
  const pair: Entry[] = [{ claim: 'a-nspvc-b/c' }, { claim: 'a/b-nspvc-c' }];

  test('both fail, and each names the other', () => {
    const plan = planOf(pair);
    expect(lines(plan)).toEqual(['a/b-nspvc-c host-collision', 'a-nspvc-b/c host-collision']);
    expect(plan.volumes.map(({ host, backup }) => ({ host, backup }))).toEqual([
      { host: 'k8s-a-nspvc-b-nspvc-c', backup: true },
      { host: 'k8s-a-nspvc-b-nspvc-c', backup: true },
    ]);
    expect(plan.warnings).toEqual([
      'persistentvolumeclaim/a-nspvc-b/c: it cannot be backed up: it has the restic host k8s-a-nspvc-b-nspvc-c in common with a/b-nspvc-c',
      'persistentvolumeclaim/a/b-nspvc-c: it cannot be backed up: it has the restic host k8s-a-nspvc-b-nspvc-c in common with a-nspvc-b/c',
    ]);
    expect(plan.selected).toBe(2);
  });

  test('with names that a dump made up', () => {
    const plan = planOf([{ claim: 'a\n-nspvc-b/c' }, { claim: 'a\n/b-nspvc-c' }]);
    expect(plan.warnings[0]).toBe(
      'persistentvolumeclaim/a\\n-nspvc-b/c: it cannot be backed up: it has the restic host k8s-a\\n-nspvc-b-nspvc-c in common with a\\n/b-nspvc-c',
    );
  });

  test('whatever narrows this run', () => {
    for (const policy of [
      { namespaces: ['a'] },
      { excludeNamespaces: ['a-nspvc-b'] },
      { pvcs: ['a/b-nspvc-c'] },
      { shard: { index: 0, count: 2 } },
    ]) {
      const plan = planOf(pair, policy);
      expect(lines(plan)).toContain('a/b-nspvc-c host-collision');
      expect(plan.warnings.filter((line) => line.includes('a/b-nspvc-c:'))).toHaveLength(1);
    }
  });

  test.each<[string, Entry]>([
    ['opted out', { claim: 'a-nspvc-b/c', pvc: { backup: 'false' } }],
    ['not considered', { claim: 'a-nspvc-b/c', spec: notCeph }],
    ['not bound', { claim: 'a-nspvc-b/c', phase: 'Pending' }],
  ])('not with a claim that is %s', (_, other) => {
    expect(lines(planOf([{ claim: 'a/b-nspvc-c' }, other]))).toContain('a/b-nspvc-c default');
  });

  test('also with a claim that is not supported, or was backed up just now', () => {
    for (const other of [{ spec: nfs }, { pv: { 'last-backup': ago(1) } }]) {
      const plan = planOf([{ claim: 'a/b-nspvc-c' }, { claim: 'a-nspvc-b/c', ...other }], {
        minAgeMs: 2 * hour,
      });
      expect(lines(plan)).toContain('a/b-nspvc-c host-collision');
    }
  });
});

describe('narrowing', () => {
  const entries: Entry[] = [
    { claim: 'a/one', storageClass: 'fast', labels: { app: 'web' } },
    { claim: 'a/two', storageClass: 'slow' },
    { claim: 'b/one', storageClass: 'fast', pvc: { backup: 'false' } },
    { claim: 'c/one' },
  ];
  test.each<[string, Partial<typeof everything>, string[]]>([
    ['nothing', {}, ['a/one', 'a/two', 'c/one', 'b/one']],
    ['namespaces', { namespaces: ['a', 'b'] }, ['a/one', 'a/two', 'b/one']],
    ['excluded namespaces', { excludeNamespaces: ['a'] }, ['c/one', 'b/one']],
    ['both', { namespaces: ['a', 'b'], excludeNamespaces: ['a'] }, ['b/one']],
    ['claims', { pvcs: ['a/two', 'b/one', 'b/none'] }, ['a/two', 'b/one']],
    ['storage classes', { storageClasses: ['fast'] }, ['a/one', 'b/one']],
    ['a selector', { selector: 'app=web' }, ['a/one']],
    ['all of them', { namespaces: ['a'], storageClasses: ['fast', 'slow'], selector: '!app' }, ['a/two']],
    ['everything', { namespaces: ['none'] }, []],
  ])('by %s', (_, policy, expected) => {
    expect(planOf(entries, policy).volumes.map(({ namespace, pvc }) => `${namespace}/${pvc}`)).toEqual(
      expected,
    );
  });

  test('warns only about what is listed, and about each thing once', () => {
    const odd = { backup: 'odd' };
    const plan = planOf(
      [
        { claim: 'a/one', namespace: odd, pvc: odd, pv: odd },
        { claim: 'a/two' },
        { claim: 'b/one', namespace: odd, pvc: odd, pv: odd },
      ],
      { namespaces: ['a'] },
    );
    expect(plan.warnings.map((line) => line.replace(/:.*/, ''))).toEqual([
      'persistentvolume/pv-a.one',
      'namespace/a',
      'persistentvolumeclaim/a/one',
    ]);
  });

  test('the class of a claim of old times is an annotation', () => {
    const objects = inventory({ claim: 'a/one' });
    const [claim] = objects.persistentVolumeClaims;
    Object.assign(claim?.metadata?.annotations ?? {}, { 'volume.beta.kubernetes.io/storage-class': 'old' });
    expect(buildPlan(objects, { ...everything, storageClasses: ['old'] }, now).volumes).toHaveLength(1);
  });

  test('counts what the policy selects before shards and ages', () => {
    const more: Entry[] = [...entries, { claim: 'd/one', spec: nfs }, { claim: 'd/two', spec: notCeph }];
    expect(planOf(more).selected).toBe(4);
    const policy = { shard: { index: 0, count: 1000 }, minAgeMs: hour, namespaces: ['a'] };
    expect(planOf(more, policy).selected).toBe(2);
    expect(planOf(more, { namespaces: ['b'] }).selected).toBe(0);
  });
});

describe('shards', () => {
  test('by the first eight hex digits of sha256 of the UID', () => {
    // FIPS 180-2's example: sha256("abc") begins with ba7816bf, which is 3128432319.
    for (const count of [1, 2, 4, 10, 1000]) {
      for (let index = 0; index < Math.min(count, 10); index += 1) {
        const { reason } = lineOf({ uid: 'abc' }, { shard: { index, count } });
        expect(reason).toBe(3_128_432_319 % count === index ? 'default' : 'other-shard');
      }
    }
  });

  test('each claim is in one', () => {
    const entries = Array.from({ length: 50 }, (_, index) => ({ claim: `a/${index}` }));
    const counts = [0, 1, 2].map(
      (index) =>
        planOf(entries, { shard: { index, count: 3 } }).volumes.filter(({ backup }) => backup).length,
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(50);
    expect(Math.min(...counts)).toBeGreaterThan(5);
  });
});

describe('the last backup', () => {
  const warning = (value: string, problem: string) =>
    `persistentvolume/pv-team.data: annotation ${prefix}/last-backup has the value "${value}", which ${problem}; it counts as not set`;
  test.each<[string, Record<string, unknown>, string | null, string[]]>([
    ['none', {}, null, []],
    ['in UTC', { 'last-backup': '2025-06-01T02:03:04Z' }, '2025-06-01T02:03:04Z', []],
    ['in another zone', { 'last-backup': '2025-06-01T02:03:04+02:00' }, '2025-06-01T00:03:04Z', []],
    ['with a fraction', { 'last-backup': '2025-06-01T02:03:04.5Z' }, '2025-06-01T02:03:04.500Z', []],
    ['in small letters', { 'last-backup': ' 2025-06-01t02:03:04z ' }, '2025-06-01T02:03:04Z', []],
    [
      'of this claim',
      { 'last-backup': ago(1), 'last-backup-claim': 'uid-of-team/data' },
      '2025-06-15T11:00:00Z',
      [],
    ],
    ['of another claim', { 'last-backup': ago(1), 'last-backup-claim': 'another' }, null, []],
    ['of no claim', { 'last-backup': ago(1), 'last-backup-claim': '' }, null, []],
    ['within the hour that clocks may differ', { 'last-backup': ago(-1) }, '2025-06-15T13:00:00Z', []],
    [
      'in the future',
      { 'last-backup': '2025-06-15T13:00:01Z' },
      null,
      [warning('2025-06-15T13:00:01Z', 'is in the future')],
    ],
    [
      'that is a day',
      { 'last-backup': '2025-06-01' },
      null,
      [warning('2025-06-01', 'is no time as in RFC 3339')],
    ],
    [
      'without a zone',
      { 'last-backup': '2025-06-01T02:03:04' },
      null,
      [warning('2025-06-01T02:03:04', 'is no time as in RFC 3339')],
    ],
    [
      'on a day that is none',
      { 'last-backup': '2025-02-30T02:03:04Z' },
      null,
      [warning('2025-02-30T02:03:04Z', 'is no time as in RFC 3339')],
    ],
    [
      'at an hour that is none',
      { 'last-backup': '2025-02-03T24:00:00Z' },
      null,
      [warning('2025-02-03T24:00:00Z', 'is no time as in RFC 3339')],
    ],
    ['empty', { 'last-backup': '' }, null, [warning('', 'is no time as in RFC 3339')]],
    [
      'with control characters',
      { 'last-backup': '\u001b[31m\n' },
      null,
      [warning('\\u001b[31m\\n', 'is no time as in RFC 3339')],
    ],
  ])('%s', (_, pv, lastBackup, warnings) => {
    const plan = planOf([{ claim: 'team/data', pv }]);
    expect(plan.volumes[0]?.lastBackup).toBe(lastBackup);
    expect(plan.warnings).toEqual(warnings);
  });

  test.each<[string, number | null, string]>([
    ['younger', 2, 'recent'],
    ['as old', 1, 'default'],
    ['older', 0.5, 'default'],
    ['no age', null, 'default'],
  ])('%s than --min-age', (_, hours, reason) => {
    expect(lineOf({ pv: { 'last-backup': ago(1) } }, { minAgeMs: hours && hours * hour }).reason).toBe(
      reason,
    );
  });

  test('in the near future is recent; never is not', () => {
    expect(lineOf({ pv: { 'last-backup': ago(-0.5) } }, { minAgeMs: 1000 }).reason).toBe('recent');
    expect(lineOf({}, { minAgeMs: 1e15 }).reason).toBe('default');
    expect(lineOf({ pv: { 'last-backup': 'odd' } }, { minAgeMs: 1e15 }).reason).toBe('default');
  });
});

describe('the order', () => {
  test('selected before others, never before the oldest, then by name', () => {
    const at = (time: string) => ({ pv: { 'last-backup': time } });
    const no = { pvc: { backup: 'false' } };
    const expected: Entry[] = [
      { claim: 'a/never' },
      { claim: 'b/never' },
      { claim: 'z/collides-not', spec: nfs },
      { claim: 'z/a', ...at('2024-12-31T23:59:59Z') },
      // Later than the one above, though the text is smaller.
      { claim: 'c/c', ...at('2024-12-31T23:30:00-01:00') },
      { claim: 'a/a', ...at('2025-01-02T00:00:00Z') },
      { claim: 'a/b', ...at('2025-01-02T00:00:00Z') },
      { claim: 'a.b/a', ...at('2025-01-02T00:00:00Z') },
      { claim: 'a0/a', ...at('2025-01-02T00:00:00Z') },
      { claim: 'b/a', ...at('2025-01-02T00:00:00Z') },
      { claim: 'a/no', ...no },
      { claim: 'b/no', ...no, spec: notCeph },
      { claim: 'a/no-old', ...no, ...at('2020-01-01T00:00:00Z') },
      { claim: 'a/no-new', ...no, ...at('2021-01-01T00:00:00Z') },
    ];
    for (let turn = 0; turn < expected.length; turn += 1) {
      const mixed = [...expected.slice(turn), ...expected.slice(0, turn)].map((entry, index, list) =>
        turn % 2 === 0 ? entry : (list[list.length - 1 - index] ?? entry),
      );
      const found = planOf(mixed).volumes.map(({ namespace, pvc }) => `${namespace}/${pvc}`);
      expect(found).toEqual(expected.map(({ claim }) => claim));
    }
  });

  test('bytewise: a character beyond U+FFFF comes after all others', () => {
    const entries = ['a/\u{1F600}', 'a/\uFFFD', 'a/é', 'a/z', 'a/Z', 'a/-'].map((claim) => ({ claim }));
    expect(planOf(entries).volumes.map(({ pvc }) => pvc)).toEqual([
      '-',
      'Z',
      'z',
      'é',
      '\uFFFD',
      '\u{1F600}',
    ]);
  });
});

describe('warnings', () => {
  const below = (key: string) => `annotation ${prefix}/${key}`;
  test.each<[string, Omit<Entry, 'claim'>, string[]]>([
    [
      'unknown keys',
      { pvc: { bakcup: 'x' }, pv: { Backup: 'x' }, namespace: { 'x\n': 'x' } },
      [
        `persistentvolume/pv-team.data: ${below('Backup')} is unknown and has no effect`,
        `namespace/team: ${below('x\\n')} is unknown and has no effect`,
        `persistentvolumeclaim/team/data: ${below('bakcup')} is unknown and has no effect`,
      ],
    ],
    [
      'keys on the wrong object',
      {
        pvc: { mode: 'image', 'pre-snapshot': 'x' },
        namespace: { 'last-backup': 'x' },
        pv: { group: 'x' },
      },
      [
        `persistentvolume/pv-team.data: ${below('group')} has no effect on a persistentvolume`,
        `namespace/team: ${below('last-backup')} has no effect on a namespace`,
        `persistentvolumeclaim/team/data: ${below('mode')} has no effect on a persistentvolumeclaim`,
        `persistentvolumeclaim/team/data: ${below('pre-snapshot')} has no effect on a persistentvolumeclaim`,
      ],
    ],
    [
      'the keys that this program writes',
      {
        pv: {
          'last-backup': ago(1),
          'last-snapshot': 'x',
          'last-backup-claim': 'uid-of-team/data',
          'last-attempt': 'x',
          'last-error': 'x',
          'last-verified': 'x',
        },
      },
      [],
    ],
    [
      'a volume that is not supported',
      { spec: nameless },
      [
        'persistentvolumeclaim/team/data: it cannot be backed up: its PersistentVolume does not say which image it is',
      ],
    ],
    ['one that is opted out', { spec: nameless, pvc: { backup: 'false' } }, []],
  ])('%s', (_, entry, warnings) => {
    expect(planOf([{ claim: 'team/data', ...entry }]).warnings).toEqual(warnings);
  });

  test("other programs' annotations are not ours", () => {
    const objects = inventory({ claim: 'team/data' });
    for (const { metadata } of [
      ...objects.persistentVolumes,
      ...objects.namespaces,
      ...objects.persistentVolumeClaims,
    ]) {
      Object.assign(metadata?.annotations ?? {}, {
        [`${prefix}.example/x`]: '',
        [prefix]: '',
        backup: 'false',
      });
    }
    expect(buildPlan(objects, everything, now).warnings).toEqual([]);
  });
});

describe('mode: image', () => {
  test.each<[string, object, string, string | null, number]>([
    ['an RBD filesystem', rbd, 'image', 'rbd-block', 0],
    ['with another spelling', rbd, ' Image ', 'rbd-block', 0],
    ['with another word', rbd, 'file', 'rbd-filesystem', 1],
    ['a block volume', { ...rbd, volumeMode: 'Block' }, 'image', 'rbd-block', 0],
    ['CephFS', { cephfs: { path: '/a' } }, 'image', 'cephfs', 1],
    ['an unknown image', nameless, 'image', null, 1],
  ])('%s', (_, spec, mode, kind, warnings) => {
    const plan = planOf([{ claim: 'team/data', spec: { ...spec }, pv: { mode } }]);
    expect(plan.volumes[0]?.kind).toBe(kind);
    expect(plan.warnings).toHaveLength(warnings);
  });
});

describe('encrypted images', () => {
  const encrypted = (attributes: object, more = {}) => ({
    csi: { ...rbd.csi, volumeAttributes: { ...rbd.csi.volumeAttributes, encrypted: 'true', ...attributes } },
    ...more,
  });
  const lost = 'its key is destroyed with the claim, and this backup cannot be read after that';
  test.each<[string, object, RegExp]>([
    ['with the default', {}, /keep the passphrase in the Secret of its storage class$/],
    ['with the default by name', { encryptionKMSID: 'default' }, /keep the passphrase/],
    [
      'with Vault',
      { encryptionKMSID: 'vault-test' },
      new RegExp(`the KMS "vault-test" seems to be Vault: ${lost}$`),
    ],
    ['with Azure', { encryptionKMSID: 'azure-kv' }, new RegExp(`seems to be Azure: ${lost}$`)],
    [
      'with metadata',
      { encryptionKMSID: 'user-secrets-metadata' },
      new RegExp(`metadata of images: ${lost}$`),
    ],
    [
      'with an id that does not tell',
      { encryptionKMSID: 'prod\u0007' },
      new RegExp(`if the KMS "prod\\\\u0007" is Vault, Azure or of a type .*, ${lost}$`),
    ],
  ])('%s', (_, attributes, warning) => {
    for (const more of [{}, { volumeMode: 'Block' }]) {
      const plan = planOf([{ claim: 'team/data', spec: encrypted(attributes, more) }]);
      expect(plan.volumes).toMatchObject([{ kind: 'rbd-block', reason: 'default', backup: true }]);
      expect(plan.warnings).toEqual([expect.stringMatching(warning)]);
      expect(plan.warnings[0]).toMatch(/^persistentvolumeclaim\/team\/data: it is encrypted/);
    }
  });
});

describe('the document', () => {
  test('has what is printed, and nothing else', () => {
    const plan = planOf([
      { claim: 'team/data', pv: { 'last-backup': '2025-06-01T00:00:00Z' }, capacity: '1.5Gi' },
    ]);
    expect(JSON.parse(JSON.stringify(listDocument(plan)))).toStrictEqual({
      volumes: [
        {
          namespace: 'team',
          pvc: 'data',
          uid: 'uid-of-team/data',
          pv: 'pv-team.data',
          kind: 'rbd-filesystem',
          backup: true,
          reason: 'default',
          host: 'k8s-team-nspvc-data',
          sizeBytes: 1_610_612_736,
          lastBackup: '2025-06-01T00:00:00Z',
          source: {
            cluster: 'rook-ceph',
            pool: 'replicapool',
            radosNamespace: null,
            image: 'csi-vol-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002',
          },
        },
      ],
      warnings: [],
    });
  });

  test('is empty where nothing is', () => {
    expect(listDocument(planOf([]))).toEqual({ volumes: [], warnings: [] });
  });

  test('the plan keeps the objects themselves', () => {
    const objects = inventory({ claim: 'team/data' });
    const [line] = buildPlan(objects, everything, now).volumes;
    expect(line?.claim.pvc).toBe(objects.persistentVolumeClaims[0]);
    expect(line?.claim.pv).toBe(objects.persistentVolumes[0]);
    expect(line?.claim.namespace).toBe(objects.namespaces[0]);
  });

  test('planning changes nothing, and planning again gives the same', () => {
    const objects = inventory({ claim: 'team/data' }, { claim: 'a/b', pvc: { backup: 'odd' } });
    const before = JSON.stringify(objects);
    const first = JSON.stringify(buildPlan(objects, everything, now));
    expect(JSON.stringify(buildPlan(objects, everything, now))).toBe(first);
    expect(JSON.stringify(objects)).toBe(before);
  });
});
