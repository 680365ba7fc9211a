import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject } from '../../lib/kube/types.js';
import { Container } from '../../sandbox/recipes/container.js';
import { waitFor } from '../../sandbox/process.js';
import { keepWriting } from '../../sandbox/workload/writer.js';
import type { FaultyPrograms } from '../support/faults.js';
import { prefix, Scenario, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

/** Where one claim is mounted in the application's container, and whose it is. */
export interface Place {
  claim: string;
  at: string;
  owner: string;
}

export interface RehearsalOptions {
  places: readonly Place[];
  /** Of the pod. */
  annotations?: Record<string, string>;
  /** Of all claims. */
  claimAnnotations?: Record<string, string>;
  env?: Record<string, string>;
  size?: string;
}

export interface Backup {
  /** Numbers of the writes that were acknowledged before the moment. */
  acknowledged: number[];
  /** Null where nobody was held. */
  heldSeconds: number | null;
}

/** An application in a container with volumes of Ceph, that is written to all the time while it is backed up. */
export class Rehearsal {
  #written = 0;

  private constructor(
    private readonly scenario: Scenario,
    private readonly folder: string,
    private readonly claims: readonly SeededClaim[],
    private readonly options: RehearsalOptions,
    readonly container: Container,
  ) {}

  static async create(name: string, options: RehearsalOptions): Promise<Rehearsal> {
    const [scenario, folder] = await Promise.all([
      Scenario.create({ standIn: true }),
      temporaryFolder(`recipe-${name}`),
    ]);
    const { places, env, size = '384M', annotations = {}, claimAnnotations = {} } = options;
    const container = await Container.create(path.join(folder, 'container'), env);
    atEnd(() => container.stop());
    const claims: SeededClaim[] = [];
    for (const { claim, at, owner } of places) {
      const seeded = await scenario.claim(claim, { size, annotations: claimAnnotations });
      await container.volume(scenario.cluster, seeded.image, at, owner);
      claims.push(seeded);
    }
    await scenario.kube.seed([podOf(name, places, { ...annotations, ...enterOf(container) })]);
    return new Rehearsal(scenario, folder, claims, options, container);
  }

  /**
   * Backs up all claims while `write` is called with one number after the other, as often as it returns. A write that has returned is
   * acknowledged.
   *
   * @param hooks whether the pod's hooks are run. Then the moment is when post is asked for: nobody may write between
   */
  async backUp(
    write: (count: number) => Promise<void>,
    { hooks = false, programs }: { hooks?: boolean; programs?: FaultyPrograms } = {},
  ): Promise<Backup> {
    const before = this.#written;
    const times: number[] = [];
    const writer = keepWriting(10, async (count) => {
      this.#written = before + count;
      await write(before + count);
      times.push(Date.now());
    });
    // A write that failed is told by the end of the writer.
    await Promise.race([waitFor('the first writes', 60_000, () => times.length >= 50), writer.ended]);
    const asked: number[] = [];
    this.scenario.faults.onRequest(({ resource, body }) => {
      const post = this.options.annotations?.[`${prefix}/post-snapshot`] ?? '';
      if (resource === 'pods/exec' && (body as string[]).includes(post.trim())) asked.push(Date.now());
    });
    const report = await this.scenario.run({
      args: hooks ? ['--hooks'] : [],
      ...(programs === undefined ? {} : { programs }),
    });
    await writer.stop();
    this.scenario.faults.clear();
    const errors = report.volumes.flatMap(({ error }) => (error === null ? [] : [error.message]));
    if (report.code !== 0) throw new Error(`${errors.join()}\n${report.stderr}`);
    const [snapshot] = (await this.scenario.snapshots(this.#first)).slice(-1);
    const moment = (hooks ? asked[0] : undefined) ?? Date.parse(snapshot?.time ?? '');
    // One after the other: the index tells the number.
    const acknowledged = times.filter((time) => time < moment).map((_, index) => before + index + 1);
    return { acknowledged, heldSeconds: report.volume(this.#first).heldSeconds };
  }

  /** Restores the newest backup into a container of its own. */
  async restore(): Promise<Container> {
    const { places, env, claimAnnotations = {} } = this.options;
    const target = path.join(this.folder, `restored-${(await readdir(this.folder)).length}`);
    const group = claimAnnotations[`${prefix}/group`];
    const what = group === undefined ? [`demo/${this.#first.name}`] : ['--group', `demo/${group}`];
    const into = group === undefined ? path.join(target, this.#first.name) : target;
    await mkdir(path.dirname(into), { recursive: true });
    const { code, stderr } = await this.scenario.cephbackup(['restore', ...what, '--to-directory', into]);
    if (code !== 0) throw new Error(stderr);
    const container = await Container.create(path.join(target, 'container'), env);
    atEnd(() => container.stop());
    for (const { claim, at } of places) await container.bind(path.join(target, claim), at);
    return container;
  }

  /** Image names of the claims, without their pools. */
  get images(): string[] {
    return this.claims.map(({ image }) => path.basename(image));
  }

  get #first(): SeededClaim {
    const [first] = this.claims;
    if (first === undefined) throw new Error('a rehearsal without a claim');
    return first;
  }
}

/** Those of the acknowledged writes that were not found. */
export function lost({ acknowledged }: Backup, found: readonly (string | number)[]): number[] {
  const there = new Set(found.map(Number));
  return acknowledged.filter((count) => !there.has(count));
}

export const numbersIn = (text: string): string[] => text.split('\n').filter((line) => /^\d+$/.test(line));

function enterOf(container: Container): Record<string, string> {
  return { 'sandbox/enter': JSON.stringify(container.enter()) };
}

function podOf(name: string, places: readonly Place[], annotations: Record<string, string>): KubeObject {
  const containers = ['main', 'fsfreeze'];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'demo', name, annotations },
    spec: {
      containers: containers.map((container) => ({ name: container })),
      volumes: places.map(({ claim }) => ({ name: claim, persistentVolumeClaim: { claimName: claim } })),
    },
    status: {
      phase: 'Running',
      containerStatuses: containers.map((container) => ({ name: container, state: { running: {} } })),
    },
  } as KubeObject;
}
