import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect } from '@jest/globals';
import { checkout } from '../../../sandbox/checkout.js';
import { run } from '../../../sandbox/process.js';
import { searchPath } from '../../../sandbox/tools.js';
import { Scenario, type Report, type RunOptions, type SeededClaim } from '../../support/scenario.js';
import { temporaryFolder } from '../../support/temporary.js';
import { qemuIo } from '../block-volume.js';

export type Volume = Report['volumes'][number];

/** Disks that are backed up with --keep-base, and compared with what the base in Ceph has. */
export class Rig {
  private constructor(
    readonly scenario: Scenario,
    readonly folder: string,
  ) {}

  static async create(): Promise<Rig> {
    const [scenario, folder] = await Promise.all([
      Scenario.create({ standIn: true }),
      temporaryFolder('segments'),
    ]);
    return new Rig(scenario, folder);
  }

  async disk(namespace: string, sizeBytes: number, name = 'disk'): Promise<SeededClaim> {
    return this.scenario.claim(name, {
      namespace,
      format: 'none',
      volumeMode: 'Block',
      size: `${sizeBytes}B`,
    });
  }

  io({ image }: SeededClaim, ...commands: string[]): void {
    qemuIo(this.scenario.cluster, image, ...commands);
  }

  /** A run that succeeds and leaves nothing. */
  async backUp(
    namespace: string,
    args: string[] = ['--keep-base'],
    options: RunOptions = {},
  ): Promise<Volume> {
    const report = await this.run(namespace, args, options);
    const [volume] = report.volumes;
    if (volume === undefined || report.leftovers.length > 0)
      throw new Error(`${JSON.stringify(report.leftovers)}\n${report.stderr}`);
    if (volume.error !== null) throw new Error(`${volume.error.message}\n${report.stderr}`);
    expect(report.exitCode).toBe(0);
    return volume;
  }

  run(namespace: string, args: string[] = ['--keep-base'], options: RunOptions = {}): Promise<Report> {
    return this.scenario.run({ ...options, args: ['--namespace', namespace, ...args] });
  }

  async snapshotNames({ image }: Pick<SeededClaim, 'image'>): Promise<string[]> {
    const listed = (await this.scenario.cluster.json('rbd', ['snap', 'ls', image])) as { name: string }[];
    return listed.map(({ name }) => name);
  }

  async bases(claim: Pick<SeededClaim, 'image'>): Promise<string[]> {
    return (await this.snapshotNames(claim)).filter((name) => name.includes('-base-'));
  }

  /** Restores by hand, as docs/formats.md says, and compares with what the base has: there is one, of this backup. */
  async expectEqualToBase(claim: SeededClaim, snapshot: string): Promise<void> {
    const [base = '', ...others] = await this.bases(claim);
    expect(base).toMatch(new RegExp(`^cephbackup-[0-9a-f]{8}-base-${snapshot.slice(0, 16)}$`));
    expect(others).toEqual([]);
    const { cluster, repository } = this.scenario;
    const target = path.join(this.folder, snapshot);
    await mkdir(target);
    const typed = (await restoreByHand())
      .replace('SNAPSHOT', snapshot)
      .replaceAll('/restore', target)
      .replace('rbd:POOL/IMAGE', 'converted.raw');
    await run('sh', ['-ec', typed], { env: { ...repository.env, PATH: searchPath() } });
    await cluster.rbd('export', '--no-progress', `${claim.image}@${base}`, path.join(target, 'exported'));
    for (const file of ['disk.raw', 'converted.raw']) await run('cmp', [file, 'exported'], { cwd: target });
    await rm(target, { recursive: true });
  }
}

/** The commands of docs/formats.md, as they stand there. */
async function restoreByHand(): Promise<string> {
  const text = await readFile(path.join(checkout, 'docs/formats.md'), 'utf8');
  const section = text.slice(text.indexOf('# What a backup of a block volume with `--keep-base` is'));
  const [, commands = 'false'] = /```sh\n([^]*?)```/.exec(section) ?? [];
  return commands;
}
