import { beforeAll, expect, test } from '@jest/globals';
import type { StatusReport } from '../../lib/plan/status.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';

let scenario: Scenario;
let disk: SeededClaim;
let broken: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create();
  [disk, broken] = await Promise.all([
    scenario.claim('disk', { format: 'none', volumeMode: 'Block' }),
    scenario.claim('broken', { format: 'xfs', size: '512M' }),
    scenario.claim('scratch', { format: 'none', annotations: { 'cephbackup.hpc.nyu.edu/backup': 'false' } }),
  ]);
});

async function status(...args: string[]) {
  const { code, json, stdout, stderr } = await scenario.cephbackup(['status', '-o', 'json', ...args]);
  if (json === undefined) throw new Error(`no report: ${stdout}\n${stderr}`);
  const report = json as StatusReport;
  const states = Object.fromEntries(report.volumes.map(({ pvc, state }) => [pvc, state]));
  return { code, report, states };
}

test('tells how the last run went, by the annotations alone and compared with the repository', async () => {
  const before = await status('--max-age', '26h');
  expect(before).toMatchObject({
    code: 1,
    states: { disk: 'never', broken: 'never', scratch: 'not-covered' },
  });
  expect((await status()).code).toBe(0);

  const run = await scenario.run();
  expect(run.code).toBe(1);
  const after = await status('--max-age', '26h', '--repository');
  expect(after).toMatchObject({ code: 1, states: { disk: 'ok', broken: 'never', scratch: 'not-covered' } });
  const claims = Object.fromEntries(after.report.volumes.map((claim) => [claim.pvc, claim]));
  expect(claims.broken).toMatchObject({ lastError: 'FILESYSTEM_MISMATCH', lastBackup: null });
  expect(claims.broken?.guidance).toContain('correct fsType');
  expect(claims.disk).toMatchObject({
    lastSnapshot: run.volume(disk).snapshot,
    lastError: null,
    repository: { snapshots: 1, newestSnapshot: run.volume(disk).snapshot, problem: null },
  });
  expect((await status('--max-age', '26h', '--pvc', `demo/${disk.name}`)).code).toBe(0);

  const table = await scenario.cephbackup(['status']);
  expect(table.stdout).toMatch(new RegExp(`${broken.name}: FILESYSTEM_MISMATCH: .*correct fsType`));

  await scenario.repository.restic('forget', run.volume(disk).snapshot ?? '');
  const gone = await status('--repository');
  expect(gone).toMatchObject({ code: 1, states: { disk: 'missing' } });
  // The annotations alone cannot know.
  expect((await status('--max-age', '26h', '--pvc', 'demo/disk')).code).toBe(0);
});

test('reads a dump instead of the API, too', async () => {
  const objects = await Promise.all(
    ['namespaces', 'persistentvolumes', 'persistentvolumeclaims'].map(
      async (plural) => (await scenario.kube.request('GET', `/api/v1/${plural}`)).body as { items: object[] },
    ),
  );
  const kinds = ['Namespace', 'PersistentVolume', 'PersistentVolumeClaim'];
  const items = objects.flatMap((list, index) => list.items.map((item) => ({ ...item, kind: kinds[index] })));
  const dump = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const { startCephbackup } = await import('../support/cephbackup.js');
  const result = await startCephbackup(['status', '--from', '-', '-o', 'json'], { env: {}, input: dump })
    .result;
  expect(result.code).toBe(0);
  expect((result.json as StatusReport).totals).toMatchObject({ claims: 3, selected: 2, notCovered: 1 });
});

test.each([
  [['--max-age', '26'], /--max-age "26": expected a duration/],
  [['extra'], /unexpected operand/],
])('%j is exit 2', async (args, message) => {
  const { code, json } = await scenario.cephbackup(['status', '-o', 'json', ...args]);
  expect(code).toBe(2);
  expect((json as { error: { message: string } }).error.message).toMatch(message);
});
