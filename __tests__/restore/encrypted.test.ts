import { beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { planMetadata } from '../../lib/restore/block/image-metadata.js';
import type { RunReport } from '../../lib/run/report.js';
import { runCephbackup } from '../support/cephbackup.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { seedEncryptedClaim } from './encrypted-claim.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const state = 'rbd.csi.ceph.com/encrypted';
const dek = 'rbd.csi.ceph.com/dek';
const wrapped = JSON.stringify({ dek: 'd3JhcHBlZC1rZXktb2YtdGhlLWJhY2t1cA==', nonce: 'bm9uY2Utb2YtaXQ=' });
const ciphertext = randomBytesOf(31, 3 * MiB);

const encryptedClaim = (name: string, content: Buffer, key: string | null): Promise<void> =>
  seedEncryptedClaim(here.current, name, content, {
    [state]: 'encrypted',
    ...(key === null ? {} : { [dek]: key }),
  });

function bound() {
  const { current } = here;
  return {
    cluster: current.cluster,
    image: current.image.bind(current),
  };
}

async function metadata(name: string): Promise<Record<string, string>> {
  const { cluster, image } = bound();
  return JSON.parse(await cluster.rbd('image-meta', 'ls', '--format', 'json', image(name))) as Record<
    string,
    string
  >;
}

const restore = (...args: string[]): Promise<Answer> =>
  here.current.command(['restore', 'app/secret', ...args]);

beforeAll(async () => {
  await encryptedClaim('secret', ciphertext, wrapped);
  await here.current.blockClaim('plain', randomBytesOf(32, MiB));
  await here.current.run();
});

describe('the wrapped key of an encrypted disk', () => {
  test('comes with a new image, with one that is completed by --force, and in place of another key', async () => {
    const { cluster, image } = bound();
    expect(await restore('--to-image', image('new'))).toMatchObject({ code: 0 });
    expect(await metadata('new')).toEqual({ [state]: 'encrypted', [dek]: wrapped });

    // As an interrupted restore leaves it: made, and without a key.
    await cluster.createImage(image('begun'), 3 * MiB);
    expect(await restore('--to-image', image('begun'), '--force')).toMatchObject({
      code: 0,
      json: { target: { state: 'complete' } },
    });
    expect(await metadata('begun')).toEqual({ [state]: 'encrypted', [dek]: wrapped });

    await cluster.createImage(image('other'), 3 * MiB);
    await cluster.rbd('image-meta', 'set', image('other'), dek, 'key of another disk');
    await cluster.rbd('image-meta', 'set', image('other'), `.${dek}`, 'older key of another disk');
    expect(await restore('--to-image', image('other'), '--force')).toMatchObject({ code: 0 });
    expect(await metadata('other')).toEqual({ [state]: 'encrypted', [dek]: wrapped });
  });

  test('comes back into its own claim, and is in no log', async () => {
    const { cluster, image } = bound();
    await cluster.rbd('image-meta', 'set', image('secret'), dek, 'made anew by mistake');
    const answer = await restore('--to-pvc', 'app/secret', '--force', '--log-level', 'debug');
    expect(answer).toMatchObject({ code: 0, json: { warnings: [] } });
    expect(await metadata('secret')).toEqual({ [state]: 'encrypted', [dek]: wrapped });
    expect(answer.stderr).toContain('image-meta set');
    for (const part of Object.values(JSON.parse(wrapped) as Record<string, string>)) {
      expect(answer.stderr).not.toContain(part);
    }
  });

  test('another claim: its own key goes, and a warning names the handle under which the right one can be used', async () => {
    await encryptedClaim('elsewhere', Buffer.alloc(3 * MiB), 'key of the claim');
    const answer = await restore('--to-pvc', 'app/elsewhere');
    expect(answer).toMatchObject({ code: 0 });
    expect(answer.json.warnings.join()).toContain('only under the volume handle');
    expect(await metadata('elsewhere')).toEqual({ [state]: 'encrypted', [dek]: wrapped });
  });

  test('ciphertext into a claim that is not encrypted, and the reverse: refused', async () => {
    const into = await restore('--to-pvc', 'app/plain', '--force');
    expect(into).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
    const args = ['restore', 'app/plain', '--to-pvc', 'app/secret', '--force'];
    const reverse = await here.current.command(args);
    expect(reverse).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
    expect((await here.current.read('secret')).equals(ciphertext)).toBe(true);
  });
});

test('a disk without a key into an image that had one: the key goes', async () => {
  const { cluster, image } = bound();
  await cluster.createImage(image('was-encrypted'), MiB);
  await cluster.rbd('image-meta', 'set', image('was-encrypted'), dek, 'old key');
  await cluster.rbd('image-meta', 'set', image('was-encrypted'), 'of-an-administrator', 'stays');
  const args = ['restore', 'app/plain', '--to-image', image('was-encrypted'), '--force'];
  expect(await here.current.command(args)).toMatchObject({ code: 0 });
  expect(await metadata('was-encrypted')).toEqual({ 'of-an-administrator': 'stays' });
});

test('a claim keeps what its own image says of it, and gets only what opens the disk', () => {
  const saved = {
    [state]: 'encrypted',
    [dek]: 'old',
    'csi.storage.k8s.io/pvc/name': 'old',
    'cephbackup.x': 'y',
  };
  const current = { [dek]: 'new', 'csi.storage.k8s.io/pvc/name': 'new', 'cephbackup.formatting': 'true' };
  expect(planMetadata('claim', saved, current)).toEqual({
    set: [
      [state, 'encrypted'],
      [dek, 'old'],
    ],
    remove: ['cephbackup.formatting'],
  });
  expect(planMetadata('image', saved, {}).set.map(([key]) => key)).toEqual([
    state,
    dek,
    'csi.storage.k8s.io/pvc/name',
  ]);
});

// `rbd image-meta list` of one image fails, while everything else is in order.
test('a key that cannot be read fails the volume; one that can be read later is in the manifests', async () => {
  const { image } = bound();
  await encryptedClaim('unread', ciphertext, wrapped);
  const run = async (fault: Partial<Fault>) => {
    const programs = new FaultyPrograms(
      [
        {
          program: 'rbd',
          when: `*image-meta list*${image('unread')}*`,
          mode: 'fail',
          exitCode: 22,
          ...fault,
        },
      ],
      here.current.env.PATH,
    );
    const env = { ...here.current.env, PATH: programs.path };
    const { code, json } = await runCephbackup(['run', '--pvc', 'app/unread', '-o', 'json'], { env });
    const { volumes } = json as RunReport;
    return { code, volume: volumes[0] };
  };
  const unread = await run({});
  expect(unread).toMatchObject({ code: 1, volume: { outcome: 'failed', snapshot: null } });
  expect(unread.volume?.error?.message).toContain('its wrapped key perhaps, cannot be read');
  expect(await here.current.repository.snapshots('--tag', 'pvc=unread')).toEqual([]);

  // Only the first look, for the manifests of all claims, fails; or the second one, for the key.
  for (const skip of [0, 1]) {
    const once = await run({ once: true, skip });
    expect(once).toMatchObject({ code: 0, volume: { error: null, outcome: 'succeeded' } });
  }
  const answer = await here.current.command(['restore', 'app/unread', '--to-image', image('read')]);
  expect(answer).toMatchObject({ code: 0 });
  expect(await metadata('read')).toEqual({ [state]: 'encrypted', [dek]: wrapped });
});
