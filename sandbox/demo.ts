import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PersistentVolume } from '../lib/kube/types.js';
import { runCephbackup } from './cephbackup.js';
import { imageClaim } from './claims.js';
import { own, type Owner } from './owner.js';
import { setStage, type Stage } from './stage.js';
import { observeWorld, worldChanges, type World } from './world.js';
import { sampleGroup } from './workload/samples.js';
import type { Workload } from './workload/workload.js';

/** What the steps of the demo hand on to each other. */
interface Show {
  stage: Stage;
  folder: string;
  /** Ceph and this node before the first backup. */
  before: World;
}

/** `npm run demo`: the product in a minute. Each step fails loudly if what it shows is not so. */
const steps: ((show: Show) => Promise<void>)[] = [
  list,
  backUp,
  lookAtMarks,
  restore,
  backUpAgain,
  failOnPurpose,
  lookAtStatus,
  takeOneFile,
  leaveNothing,
  report,
];

/** On a machine that is very busy a run of seconds takes minutes. */
const longestMs = 900_000;

/** An image that is not there any more. */
const removedImage = 'rbd/csi-vol-11111111-1111-1111-1111-111111111111';

await own(async (owner) => {
  const started = performance.now();
  const stage = await prepare(owner);
  const show = { stage, folder: owner.folder, before: await world(stage) };
  for (const step of steps) await step(show);
  await stage.stop();
  say(`\nAll of it was real, and is gone again but for the page. ${seconds(started)} in all.`);
  return 0;
});

async function prepare({ folder }: Owner): Promise<Stage> {
  const started = performance.now();
  say('This starts, for a minute and in a folder of its own:');
  const stage = await setStage(folder, (text) => {
    say(`  ${text}`);
  });
  say(`up after ${seconds(started)}. These volumes are in use, and are being written to all the time:`);
  for (const { claim, title } of stage.workloads) say(`  ${nameOf(claim)}: ${title}`);
  return stage;
}

async function list({ stage }: Show): Promise<void> {
  title('Which claims are backed up, and why? Annotations decide, here on a namespace.');
  await cephbackup(stage, ['list']);
}

async function backUp({ stage }: Show): Promise<void> {
  title('Each is frozen by a snapshot in Ceph, read from there by restic, proven, and marked in Kubernetes.');
  await cephbackup(stage, ['run']);
}

async function lookAtMarks({ stage }: Show): Promise<void> {
  title('How it went can be seen in Kubernetes, too: on each volume, and as an event of each claim.');
  for (const volume of (await listOf<PersistentVolume>(stage, 'persistentvolumes')).slice(0, 1)) {
    for (const [key, value] of Object.entries(volume.metadata?.annotations ?? {})) say(`  ${key}: ${value}`);
  }
  for (const { involvedObject, reason, message } of await listOf<ClaimEvent>(stage, 'events')) {
    say(`  ${involvedObject.namespace}/${involvedObject.name}: ${reason}: ${message}`);
  }
}

async function restore({ stage, folder }: Show): Promise<void> {
  title('Restored by one command each, and compared with the volumes, which are still in use:');
  const problems: string[] = [];
  for (const workload of stage.workloads) {
    const name = nameOf(workload.claim);
    const target = path.join(folder, 'restored', name);
    await mkdir(target, { recursive: true });
    const where = isDisk(workload)
      ? ['--to-file', `restored/${name}/disk.qcow2`]
      : ['--to-directory', `restored/${name}`];
    await cephbackup(stage, ['restore', name, ...where], { cwd: folder });
    const { differences, summary } = await workload.compare(target);
    if (differences.length === 0) say(`  ${summary}`);
    problems.push(...differences.map((difference) => `${name}: ${difference}`));
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function isDisk({ objects }: Workload): boolean {
  return objects.some((object) => (object as PersistentVolume).spec?.volumeMode === 'Block');
}

async function backUpAgain({ stage }: Show): Promise<void> {
  title('The next run reads and adds only what has changed since.');
  await cephbackup(stage, ['run']);
}

async function failOnPurpose({ stage }: Show): Promise<void> {
  title('What cannot be backed up fails for itself alone. The image of this claim was removed by hand:');
  const claim = { namespace: 'shop', name: 'reports' };
  const options = { image: removedImage, fsType: 'ext4', size: 8 * 1024 ** 2 };
  await stage.kube.seed(imageClaim(stage.cluster, claim, options));
  await cephbackup(stage, ['run', '--pvc', 'shop/reports'], { expected: 1 });
}

async function lookAtStatus({ stage }: Show): Promise<void> {
  title(
    'How all of them are, at any time later, from Kubernetes alone, and what to do about the one that failed:',
  );
  const text = await cephbackup(stage, ['status']);
  for (const told of [/shop +reports .*IMAGE_NOT_FOUND/])
    if (!told.test(text)) throw new Error(`the status does not tell ${String(told)}`);
}

/** What a newcomer wants at night. */
async function takeOneFile({ stage, folder }: Show): Promise<void> {
  title('One file out of the disk of the virtual machine, without restoring the disk:');
  const [disk] = stage.workloads.filter(isDisk);
  if (disk === undefined) throw new Error('no workload is a disk');
  const args = ['--partition', '1', '--path', '/postgresql.conf', '--to-directory', 'from-the-disk'];
  await cephbackup(stage, ['restore', nameOf(disk.claim), ...args], { cwd: folder });
  const text = await readFile(path.join(folder, 'from-the-disk/postgresql.conf'), 'utf8');
  if (!text.includes('shared_buffers')) throw new Error('the file out of the disk is another one');
  say(`  from-the-disk/postgresql.conf: ${text.trim()}`);
}

/** The only thing that stays when the demo has ended. */
async function report({ stage }: Show): Promise<void> {
  title('All of it on one page, for people who look before they read:');
  const file = path.join(tmpdir(), 'cephbackup-demo.html');
  await cephbackup(stage, ['report', file, '--repository', '--keep-daily', '14']);
  const page = await readFile(file, 'utf8');
  if (!page.includes('shop') || !page.includes('IMAGE_NOT_FOUND'))
    throw new Error(`${file} does not tell what failed`);
  say(`  It stays: open file://${file} in a browser.`);
}

async function leaveNothing({ stage, before }: Show): Promise<void> {
  const changes = worldChanges(before, await world(stage));
  if (changes.length > 0) throw new Error(`left behind:\n${changes.join('\n')}`);
  title('No snapshot, clone, watcher, mount, device or process is left in Ceph or on this machine.');
}

function world({ cluster }: Stage): Promise<World> {
  return observeWorld({
    cluster,
    imagePools: ['rbd', 'rbd/tenant-a'],
    shareGroups: [{ filesystem: 'cephfs', group: sampleGroup }],
  });
}

/** Runs a command in front of the reader, and returns what it printed. @throws Error unless it exits as expected */
async function cephbackup(
  stage: Stage,
  args: string[],
  { cwd, expected = 0 }: { cwd?: string; expected?: number } = {},
): Promise<string> {
  say(`$ cephbackup ${args.join(' ')}`);
  const { code, stdout, stderr } = await runCephbackup(args, {
    env: stage.env,
    timeout: longestMs,
    ...(cwd === undefined ? {} : { cwd }),
  });
  for (const line of stdout.trimEnd().split('\n')) say(`  ${line}`);
  if (code !== expected) throw new Error(`cephbackup ${args.join(' ')}: exit code ${code}\n${stderr}`);
  return stdout;
}

/** The events of claims, as far as they are shown here. */
interface ClaimEvent {
  involvedObject: { namespace: string; name: string };
  reason: string;
  message: string;
}

async function listOf<T>({ kube }: Stage, plural: string): Promise<T[]> {
  const { body } = await kube.request('GET', `/api/v1/${plural}`);
  return (body as { items: T[] }).items;
}

function title(text: string): void {
  say(`\n${text}`);
}

function nameOf({ namespace, name }: Workload['claim']): string {
  return `${namespace}/${name}`;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function say(text: string): void {
  console.log(text);
}
