import { setTimeout as sleep } from 'node:timers/promises';
import type { CephbackupResult } from '../cephbackup.js';
import type { ResticSnapshot } from '../repository.js';
import { searchPath } from '../tools.js';
import type { World } from '../world.js';
import type { Bed } from './bed.js';
import { callsOf, common, patternOf, verbOf, type Call } from './calls.js';
import { judgeAnswer, judgeBackups, judgeWorld, namesLeft, type State } from './judge.js';
import { isKnown } from './known.js';
import { answerOf, type Mode } from './modes.js';
import { FaultyPrograms, type Fault } from './programs.js';
import { succeed, type Course, type Subject, type Trial } from './subjects.js';

/** Programs that the product, or what it starts, may run. There are no others on PATH. */
const programs = [
  ...['ceph', 'ceph-fuse', 'rbd', 'restic', 'qemu-img', 'qemu-storage-daemon'],
  ...[
    'mount',
    'umount',
    'unshare',
    'losetup',
    'mkfifo',
    'mknod',
    'mkdir',
    'rmdir',
    'ls',
    'stat',
    'cat',
    'sh',
  ],
  ...[
    'e2fsck',
    'find',
    'od',
    'tar',
    'xfs_logprint',
    'xfs_repair',
    'mkfs.ext4',
    'mkfs.xfs',
    'tune2fs',
    'sync',
    'blkid',
  ],
];
const starters = ['setpriv', 'nsenter', 'env', 'bash', 'chmod', 'touch', 'true', 'fusermount3', 'ldconfig'];

/** A case of the matrix. */
export interface Case {
  id: string;
  subject: Subject;
  /** Null: at a moment that only the seed knows. */
  call: Call | null;
  mode: Mode;
  /** For what happens in the middle: between 0 and 1. */
  chance: number;
}

export interface Verdict {
  outcome: 'held' | 'broken' | 'not met';
  problems: string[];
  /** What the command came to. */
  ended: string;
  seconds: number;
  stderr: string;
}

/** Of the cases after which nothing is different, so many are run once more all the same. */
const alwaysAgain = 0.15;

/** The removal of an image may say nothing for ten minutes. */
const patience = { worldMs: 10_000, watchMs: 45_000, commandMs: 900_000 };

/** One subject on one bed: what it does without faults, and what becomes of it with them. */
export class Replay {
  calls: Call[] = [];
  #secondsOfOne = 0;
  /** As it is between two cases. */
  #world: World | null = null;
  #last: State | null = null;
  readonly #references = new Map<string, string[]>();
  readonly #sameAs = new Map<string, boolean>();

  private constructor(
    readonly bed: Bed,
    readonly subject: Subject,
    private readonly course: Course,
  ) {}

  static async create(bed: Bed, subject: Subject): Promise<Replay> {
    const replay = new Replay(bed, subject, await subject.make(bed));
    await replay.#remember();
    const recordings = [await replay.#record(), await replay.#record()];
    replay.calls = common(recordings);
    return replay;
  }

  /** @throws Error where it does not succeed without a fault */
  async #record(): Promise<Call[]> {
    const { bed } = this;
    const trial = await this.course.trial();
    const recorder = this.#programs([]);
    bed.kube.faults.clear();
    const began = performance.now();
    const result = await this.#start(trial, trial.args, recorder).result;
    this.#secondsOfOne = (performance.now() - began) / 1000;
    const requests = bed.kube.faults.requests.map(({ method, path }) => `${method} ${path}`);
    const problems = [
      ...(result.code === 0 ? [] : [`exit code ${result.code}: ${result.stderr}${result.stdout}`]),
      ...(result.code === 0 ? await trial.flaws(result) : []),
      ...this.#unknown(recorder),
    ];
    await trial.end?.();
    if (problems.length > 0) throw new Error(`${this.subject.name}, without a fault: ${problems.join('\n')}`);
    const names = bed.names;
    return [...callsOf('command', recorder.calls(), names), ...callsOf('request', requests, names)];
  }

  /** What the first backups hold, of each format one, with which each later one is compared. */
  async #remember(): Promise<void> {
    const snapshots = await this.bed.snapshots();
    for (const { uid } of this.bed.claims) {
      const own = snapshots.filter(({ tags }) => tags?.includes(`uid=${uid}`) === true);
      this.#references.set(
        uid,
        own.map(({ id }) => id),
      );
    }
  }

  readonly #same = async ({ id, tree }: ResticSnapshot, uid: string): Promise<boolean> => {
    const references = this.#references.get(uid) ?? [];
    const key = `${uid} ${tree}`;
    const known = this.#sameAs.get(key);
    if (known !== undefined) return known;
    let same = references.length === 0;
    for (const reference of references) {
      const { code, stdout } = await this.bed.repository.attempt(
        ...['diff', '--json', '--no-lock', reference, id],
      );
      same ||= code === 0 && !stdout.includes('"message_type":"change"');
    }
    this.#sameAs.set(key, same);
    return same;
  };

  #programs(faults: readonly Fault[], onSignal?: (signal: 'SIGKILL' | 'SIGTERM') => void): FaultyPrograms {
    return new FaultyPrograms(faults, searchPath(), programs, {
      sealed: starters,
      parent: this.bed.ground.folder,
      ...(onSignal === undefined ? {} : { onSignal }),
    });
  }

  #start(trial: Trial, args: readonly string[], faulty?: FaultyPrograms) {
    return this.bed.start(args, {
      timeoutMs: patience.commandMs,
      ...(faulty === undefined ? {} : { programs: faulty }),
      ...(trial.repository === undefined ? {} : { env: trial.repository.env }),
    });
  }

  /** @param trial which may have a repository of its own */
  async #state(trial: Trial | null = null): Promise<State> {
    const { bed } = this;
    const [marks, snapshots, locks] = await Promise.all([
      bed.allMarks(),
      this.subject.command === 'run' ? bed.snapshots() : [],
      bed.locks(trial?.repository),
    ]);
    return { marks, snapshots, locks };
  }

  async run(one: Case): Promise<Verdict> {
    const began = performance.now();
    const { bed, subject } = this;
    const before = this.#last ?? (await this.#state());
    this.#last = null;
    const world = (this.#world ??= await bed.world());
    const trial = await this.course.trial();
    const { mode } = one;
    const { result, met, unknown } = await this.#hurt(one, trial);
    const killed = result.signal === 'SIGKILL';
    // What ends with the program ends too late to kill it.
    const ends = mode.ends === 'SIGKILL' && !killed ? null : (mode.ends ?? null);
    const problems = [...judgeAnswer(subject.command, result, { ends, secrets: bed.secrets }), ...unknown];
    if (mode.passes === true && result.code !== 0 && met)
      problems.push(`I16: exit code ${result.code}, although it passes by itself`);
    if (result.code === 0)
      problems.push(...(await trial.flaws(result)).map((flaw) => `false success: ${flaw}`));
    problems.push(...((await trial.losses?.(result)) ?? []));
    const told =
      subject.command === 'cleanup' && result.code !== 0
        ? [{ kind: 'target', name: trial.target ?? '' }]
        : [];
    const scope = {
      killed,
      hurt: true,
      told: [...namesLeft(result), ...told],
      target: trial.target ?? null,
    };
    const look = () => (killed ? bed.node() : bed.world());
    problems.push(...(await this.#settled(look, (now) => judgeWorld(world, now, scope))));
    const after = await this.#state(trial);
    if (!killed && mode.command !== 'hang' && after.locks.length > 0)
      problems.push('a lock of the repository is left');
    if (subject.command === 'run')
      problems.push(...(await judgeBackups(bed, result, before, after, this.#same)));
    // Where it succeeded, told of nothing left and left nothing, it is as it would be after another run.
    const untouched = result.code === 0 && scope.told.length === 0 && met && one.chance > alwaysAgain;
    if (untouched) this.#last = after;
    else
      problems.push(
        ...(await this.#again(world, trial, { killed, left: scope.told.map(({ kind }) => kind) })),
      );
    await trial.end?.();
    // Where something is wrong, the next case begins with what there is.
    if (problems.length > 0) this.#world = null;
    return {
      outcome: problems.length > 0 ? 'broken' : met && ends === (mode.ends ?? null) ? 'held' : 'not met',
      problems,
      ended: result.signal ?? String(result.code),
      seconds: (performance.now() - began) / 1000,
      stderr: `${result.stderr}\n${result.stdout}`,
    };
  }

  /** The command, with what the case says happening to it. */
  async #hurt(
    { call, mode, chance }: Case,
    trial: Trial,
  ): Promise<{ result: CephbackupResult; met: boolean; unknown: string[] }> {
    const { faults } = this.bed.kube;
    faults.clear();
    const args = [...trial.args, ...(mode.args ?? []).filter((arg, at, all) => this.#takes(arg, at, all))];
    const own = call?.kind === 'command' ? [this.#faultOf(call, mode, chance)] : [];
    const faulty = this.#programs(own, (signal) => {
      running.kill(signal);
    });
    let hits = 0;
    if (call?.kind === 'request' && mode.request !== undefined) {
      const names = this.bed.names;
      let seen = 0;
      faults.inject({
        mode: mode.request,
        ...(mode.retryAfter === undefined ? {} : { retryAfter: mode.retryAfter }),
        matches: ({ method, path }) => {
          if (patternOf(`${method} ${path}`, names) !== call.pattern) return false;
          seen += 1;
          const hit = seen > call.nth && (mode.times === null || seen <= call.nth + mode.times);
          if (hit) hits += 1;
          return hit;
        },
      });
    }
    const running = this.#start(trial, args, faulty);
    const timer =
      call === null
        ? setTimeout(
            () => {
              running.kill('SIGKILL');
            },
            chance * this.#secondsOfOne * 1000,
          )
        : undefined;
    const result = await running.result;
    clearTimeout(timer);
    faults.clear();
    const met = call === null ? result.signal === 'SIGKILL' : hits + faulty.hits > 0;
    const unknown = this.#unknown(faulty);
    faulty.remove();
    return { result, met, unknown };
  }

  /** Not every command has these options. */
  #takes(arg: string, at: number, all: readonly string[]): boolean {
    const option = arg.startsWith('--') ? arg : (all[at - 1] ?? '');
    const { command } = this.subject;
    if (option === '--volume-timeout') return command === 'run';
    return option !== '--patience' || command !== 'prune';
  }

  #faultOf({ pattern, nth }: Call, mode: Mode, chance: number): Fault {
    const [program = '', ...rest] = pattern.split(' ');
    const call: Call = { kind: 'command', pattern, nth };
    return {
      program,
      when: rest.join(' '),
      strict: true,
      mode: mode.command ?? 'fail',
      skip: nth,
      afterMs: Math.round(20 + chance * 150),
      ...answerOf(call, mode),
      ...(mode.times === null ? {} : { times: mode.times }),
    };
  }

  #unknown(faulty: FaultyPrograms): string[] {
    const names = this.bed.names;
    const verbs = new Set(faulty.calls().map((text) => verbOf(patternOf(text, names))));
    return [...verbs]
      .filter((verb) => !isKnown(verb, this.subject.command))
      .map((verb) => `the matrix does not know the command: ${verb}`);
  }

  /** Once more, without a fault: the world must be as if there had been none. */
  async #again(
    world: World,
    trial: Trial,
    { killed, left }: { killed: boolean; left: readonly string[] },
  ): Promise<string[]> {
    const { bed, subject } = this;
    await bed.expireLease();
    await bed.breakLocks(trial.repository);
    // What serves a mapping that is left dies with the program.
    if (killed || left.includes('mapping')) await bed.forgetDeadClients();
    // What a drill has left is for whoever cleans up.
    if ((killed || left.length > 0) && subject.command === 'verify') await succeed(bed, ['cleanup']);
    const result = await this.#start(trial, trial.again ?? trial.args).result;
    const problems = judgeAnswer(subject.command, result, { ends: null, secrets: bed.secrets });
    if (result.code !== 0) problems.push(`exit code ${result.code}: ${result.stderr.slice(-3000)}`);
    else problems.push(...(await trial.flaws(result)));
    const scope = { killed: false, hurt: false, told: [], target: trial.target ?? null };
    problems.push(
      ...(await this.#settled(
        () => bed.world(),
        (now) => judgeWorld(world, now, scope),
      )),
    );
    const after = await this.#state(trial);
    if (after.locks.length > 0) problems.push('a lock of the repository is left');
    if (subject.command === 'run') {
      problems.push(...(await judgeBackups(bed, result, after, after, this.#same)));
      for (const [uid, marks] of after.marks) {
        if (marks['last-error'] !== undefined)
          problems.push(`${uid}: ${marks['last-error']} is still marked`);
      }
    }
    this.#last = after;
    return problems.map((problem) => `again: ${problem}`);
  }

  async #settled(look: () => Promise<World>, judge: (now: World) => string[]): Promise<string[]> {
    const began = performance.now();
    for (;;) {
      const problems = judge(await look());
      // Ceph remembers for 30 s that a client watched which was ended in the middle.
      const watched = problems.every((problem) => problem.startsWith('I4: + watcher '));
      const endMs = began + (watched ? patience.watchMs : patience.worldMs);
      if (problems.length === 0 || performance.now() > endMs) return problems;
      await sleep(500);
    }
  }
}
