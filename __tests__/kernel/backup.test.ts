import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { mountImage, mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import type { CompareOptions } from '../../sandbox/tree/compare.js';
import { observeWorld, worldChanges } from '../../sandbox/world.js';
import { freshGroup } from '../support/ceph.js';
import { Scenario, type Report, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';
import { expectSameTree, makeHostileTree } from '../support/tree.js';
import { Node } from './node.js';
import { claimShare, filesystem, type SeededShare } from './share.js';

/** What udev, and whoever else believes labels, would stumble over. */
const label = `../-o suid\u001b[2J`;

let scenario: Scenario;
let node: Node;
let report: Report;
let changes: string[];
let image: SeededClaim;
let share: SeededShare;
/** Whether the kernel's client has access control lists: user-mode Linux is built without. */
let acls: boolean;

/** One run with the defaults backs up an image and a share, both of which a pod of the same node has mounted. */
beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  node = new Node(scenario.cluster);
  const group = freshGroup();
  [image, share] = await Promise.all([makeImage(), claimShare(scenario, group, fill)]);
  await node.run(
    `e2label "$(rbd device map -o noudev "$1")" "$2"; rbd device unmap -o noudev "$1"`,
    image.image,
    label,
  );
  const pods = await Promise.all([
    node.useImage(image.image, 'ext4', 'echo live >live'),
    node.useShare(filesystem, share.path, 'echo live >live'),
  ]);
  const scope = { ...scenario.worldScope, shareGroups: [{ filesystem, group }] };
  const before = await observeWorld(scope);
  report = await scenario.run();
  changes = worldChanges(before, await observeWorld(scope));
  acls = (await node.attempt('grep " ceph .*,acl[, ]" /proc/mounts')).code === 0;
  for (const pod of pods) await pod.letGo();
}, 480_000);

test('krbd: an ext4 in use on this very node is restored as it was', async () => {
  const original = await mountImage(scenario.cluster, image.image, 'ext4');
  expect(report.volume(image)).toMatchObject({ outcome: 'succeeded', error: null, warnings: [] });
  await expectRestored(image, original);
}, 60_000);

test('the kernel’s client: a share in use on this very node is restored as it was', async () => {
  const warnings = acls ? [] : [expect.stringContaining('CONFIG_CEPH_FS_POSIX_ACL')];
  expect(report.volume(share)).toMatchObject({ outcome: 'succeeded', error: null, warnings });
  await expectRestored(share, await mountShare(scenario.cluster, filesystem, share.path), { acls });
}, 60_000);

test('nothing is left', () => {
  expect(report.error).toBeUndefined();
  expect(report).toMatchObject({ code: 0, leftovers: [], warnings: [] });
  expect(changes).toEqual([]);
});

async function fill(root: string): Promise<void> {
  await mkdir(path.join(root, 'data'));
  await makeHostileTree(path.join(root, 'data'));
}

function makeImage(): Promise<SeededClaim> {
  return scenario.claim('image', { size: '400M', fill });
}

async function expectRestored(
  claim: SeededClaim,
  original: MountedVolume,
  options: CompareOptions = {},
): Promise<void> {
  atEnd(() => original.unmount());
  const target = await temporaryFolder('restored');
  await scenario.repository.restore(report.volume(claim).snapshot ?? '', target);
  await expectSameTree(original.path, target, options);
}
