import { createHash } from 'node:crypto';
import type { Inventory, PersistentVolume, PersistentVolumeClaim } from '../../lib/kube/types.js';
import { dayMs } from '../../lib/page/calendar.js';
import type { PageBackup, PageData } from '../../lib/page/data.js';
import { buildPlan } from '../../lib/plan/plan.js';
import { statusOf } from '../../lib/plan/status.js';

const prefix = 'cephbackup.hpc.nyu.edu';
/** When the pages of the samples are made. */
export const sampleNowMs = Date.parse('2026-03-18T07:30:00Z');
const hourMs = 3_600_000;
const GiB = 1024 ** 3;

/** What has happened to a claim. */
type Fate = 'daily' | 'hourly' | 'failing' | 'new' | 'gap' | 'lost' | 'unproven' | 'out' | 'local' | 'nfs';

interface Sample {
  namespace: string;
  pvc: string;
  kind: 'rbd-filesystem' | 'rbd-block' | 'cephfs';
  fate: Fate;
  sizeBytes: number;
}

const teams: [namespace: string, claims: [name: string, kind: Sample['kind'], GiB: number, fate?: Fate][]][] =
  [
    [
      'shop',
      [
        ['orders-db', 'rbd-filesystem', 80],
        ['catalogue', 'cephfs', 400],
        ['invoices', 'rbd-filesystem', 20, 'failing'],
      ],
    ],
    [
      'mail',
      [
        ['mailboxes', 'cephfs', 900, 'hourly'],
        ['queue', 'rbd-filesystem', 5],
        ['spam-model', 'rbd-filesystem', 12, 'gap'],
      ],
    ],
    [
      'genomics',
      [
        ['reads', 'cephfs', 4000],
        ['results', 'cephfs', 700],
        ['scratch', 'cephfs', 2000, 'out'],
        ['notebooks', 'rbd-filesystem', 60, 'unproven'],
      ],
    ],
    [
      'vms',
      [
        ['windows-build', 'rbd-block', 120],
        ['licence-server', 'rbd-block', 32, 'lost'],
        ['router', 'rbd-block', 8],
        ['legacy-erp', 'rbd-block', 250, 'hourly'],
      ],
    ],
    [
      'monitoring',
      [
        ['prometheus', 'rbd-filesystem', 150, 'out'],
        ['grafana', 'rbd-filesystem', 2],
        ['loki', 'rbd-filesystem', 300, 'local'],
      ],
    ],
    [
      'wiki',
      [
        ['pages', 'rbd-filesystem', 10, 'hourly'],
        ['attachments', 'cephfs', 90],
      ],
    ],
    [
      'auth',
      [
        ['directory', 'rbd-filesystem', 4],
        ['audit-log', 'rbd-filesystem', 30, 'new'],
      ],
    ],
    [
      'archive',
      [
        ['scans', 'cephfs', 1500, 'nfs'],
        ['letters', 'cephfs', 220],
      ],
    ],
  ];

/** A small cluster with some of everything, or a large one with `count` claims; the same at any time. */
export function sampleData(count?: number): PageData {
  const samples = count === undefined ? village() : many(count);
  const histories = new Map(samples.map((sample) => [uidOf(sample), historyOf(sample)]));
  const inventory = inventoryOf(samples, histories);
  const policy = {
    ...{ prefix, namespaces: [], excludeNamespaces: [], pvcs: [], selector: null, storageClasses: [] },
    ...{ minAgeMs: null, shard: null, clusters: null, drivers: [], optIn: false },
  };
  const now = new Date(sampleNowMs);
  const plan = buildPlan(inventory, policy, now);
  const status = statusOf(plan, { prefix, now, maxAgeMs: 26 * hourMs, stored: null });
  const gone = {
    namespace: 'shop',
    pvc: 'black-friday',
    kind: 'rbd-filesystem' as const,
    fate: 'daily' as const,
    sizeBytes: 40 * GiB,
  };
  return {
    cluster: 'production',
    madeMs: sampleNowMs,
    status,
    facts: new Map(
      inventory.persistentVolumeClaims.map(({ metadata, spec }) => [
        metadata?.uid ?? '',
        {
          storageClass: spec?.storageClassName ?? null,
          createdMs: Date.parse(metadata?.creationTimestamp ?? ''),
        },
      ]),
    ),
    repository: {
      backups: histories,
      gone: [{ ...gone, uid: uidOf(gone), backups: historyOf(gone).slice(0, 60) }],
      prune: {
        rules: ['--keep-daily 14', '--keep-weekly 8', '--keep-monthly 12'],
        keep: 26 * samples.length,
        forget: 60 * samples.length,
        claims: samples
          .slice(0, 6)
          .map(({ namespace, pvc }, index) => ({ namespace, pvc, keep: 26, forget: 900 - 131 * index })),
      },
    },
  };
}

function village(): Sample[] {
  return teams.flatMap(([namespace, claims]) =>
    claims.map(([pvc, kind, size, fate = 'daily']) => ({
      namespace,
      pvc,
      kind,
      fate,
      sizeBytes: size * GiB,
    })),
  );
}

/** As ragged as calendars get: that is what makes a page large. */
function many(count: number): Sample[] {
  const fates: Fate[] = [
    'daily',
    'gap',
    'hourly',
    'gap',
    'failing',
    'unproven',
    'gap',
    'new',
    'daily',
    'out',
  ];
  const kinds = ['rbd-filesystem', 'cephfs', 'rbd-block'] as const;
  return Array.from({ length: count }, (_, index) => ({
    namespace: `team-${String(index % 97).padStart(3, '0')}`,
    pvc: `data-of-service-${String(index).padStart(5, '0')}`,
    kind: kinds[index % 3] ?? 'cephfs',
    fate: fates[index % fates.length] ?? 'daily',
    sizeBytes: (1 + (index % 400)) * GiB,
  }));
}

function historyOf(sample: Sample): PageBackup[] {
  const { fate, sizeBytes } = sample;
  if (['out', 'local', 'nfs', 'lost'].includes(fate)) return [];
  const random = randomOf(`${sample.namespace}/${sample.pvc}`);
  const backups: PageBackup[] = [];
  for (let day = fate === 'new' ? 12 : 95; day >= 0; day -= 1) {
    if (fate === 'failing' && day < 3) break;
    if (fate === 'gap' && (random() < 0.3 || (day > 20 && day < 27))) continue;
    for (let turn = fate === 'hourly' && day < 40 ? 3 : 0; turn >= 0; turn -= 1) {
      const held = sizeBytes * 0.6 * (1 - day / 400);
      backups.push({
        id: createHash('sha256')
          .update(`${uidOf(sample)}${day}.${turn}`)
          .digest('hex'),
        timeMs:
          Math.floor(sampleNowMs / dayMs) * dayMs -
          day * dayMs +
          hourMs * 2 +
          turn * hourMs +
          Math.floor(random() * 600_000),
        sizeBytes: Math.round(held),
        addedBytes: Math.round(held * (0.002 + 0.012 * random() * random())),
        proven: !(fate === 'unproven' && (day === 3 || day === 4 || day === 17)),
      });
    }
  }
  return backups;
}

function inventoryOf(
  samples: readonly Sample[],
  histories: ReadonlyMap<string, readonly PageBackup[]>,
): Inventory {
  const names = [...new Set(samples.map(({ namespace }) => namespace))];
  return {
    namespaces: names.map((name) => ({ metadata: { name } })),
    persistentVolumeClaims: samples.map(claimOf),
    persistentVolumes: samples.map((sample) => volumeOf(sample, histories.get(uidOf(sample)) ?? [])),
  };
}

function claimOf(sample: Sample): PersistentVolumeClaim {
  const { namespace, pvc, fate, kind } = sample;
  const created = sampleNowMs - (fate === 'new' ? 12.4 : 200) * dayMs;
  return {
    metadata: {
      ...{ namespace, name: pvc, uid: uidOf(sample), creationTimestamp: new Date(created).toISOString() },
      ...(fate === 'out' ? { annotations: { [`${prefix}/backup`]: 'false' } } : {}),
    },
    spec: {
      volumeName: `pv-${namespace}-${pvc}`,
      storageClassName: classOf(sample),
      volumeMode: kind === 'rbd-block' ? 'Block' : 'Filesystem',
    },
    status: { phase: 'Bound' },
  };
}

function volumeOf(sample: Sample, history: readonly PageBackup[]): PersistentVolume {
  const { namespace, pvc, fate, kind, sizeBytes } = sample;
  const newest = history.findLast(({ proven }) => proven);
  const time = (timeMs: number) => new Date(timeMs).toISOString().replace(/\.\d+Z/, 'Z');
  const marks =
    newest === undefined
      ? {}
      : {
          'last-backup': time(newest.timeMs),
          'last-snapshot': newest.id,
          'last-backup-claim': uidOf(sample),
          'last-attempt': time(newest.timeMs),
        };
  const failed = {
    'last-attempt': time(sampleNowMs - 5 * hourMs),
    'last-error': fate === 'lost' ? 'IMAGE_NOT_FOUND' : 'FILESYSTEM_CORRUPT',
  };
  const read =
    randomOf(pvc)() < 0.75 && newest !== undefined
      ? { 'last-verified': time(newest.timeMs - Math.floor(randomOf(namespace + pvc)() * 40) * dayMs) }
      : {};
  const annotations = { ...marks, ...(fate === 'failing' || fate === 'lost' ? failed : {}), ...read };
  const uuid = uidOf(sample);
  const attributes =
    kind === 'cephfs'
      ? { fsName: 'cephfs', subvolumeName: `csi-vol-${uuid}` }
      : { pool: 'rbd', imageName: `csi-vol-${uuid}` };
  return {
    metadata: {
      name: `pv-${namespace}-${pvc}`,
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [`${prefix}/${key}`, value]),
      ),
    },
    spec: {
      capacity: { storage: String(sizeBytes) },
      claimRef: { namespace, name: pvc, uid: uuid },
      volumeMode: kind === 'rbd-block' ? 'Block' : 'Filesystem',
      csi: {
        driver:
          { local: 'local.csi.example', nfs: 'rook-ceph.nfs.csi.ceph.com' }[fate as string] ??
          (kind === 'cephfs' ? 'rook-ceph.cephfs.csi.ceph.com' : 'rook-ceph.rbd.csi.ceph.com'),
        ...(fate === 'local'
          ? { volumeHandle: uuid }
          : {
              volumeHandle: `0001-0009-rook-ceph-0000000000000002-${uuid}`,
              volumeAttributes: { clusterID: 'rook-ceph', ...attributes },
            }),
      },
    },
  };
}

function classOf({ kind, fate }: Sample): string {
  if (fate === 'local') return 'local-ssd';
  if (fate === 'nfs') return 'ceph-nfs';
  return kind === 'cephfs' ? 'cephfs' : kind === 'rbd-block' ? 'rbd-vm' : 'rbd';
}

function uidOf({ namespace, pvc }: Pick<Sample, 'namespace' | 'pvc'>): string {
  const hash = createHash('sha256').update(`${namespace}/${pvc}`).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

/** Numbers from 0 to 1, always the same ones for a name (mulberry32). */
function randomOf(name: string): () => number {
  let state = createHash('sha256').update(name).digest().readUInt32LE();
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
