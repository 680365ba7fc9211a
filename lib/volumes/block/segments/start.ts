import { CephbackupError } from '../../../errors/error.js';
import { mountedServer } from '../../../fuse/mount.js';
import type { Daemon, StartDaemon } from '../../../tools/process/daemon.js';
import type { Environment } from '../../../tools/process/environment.js';
import { volumeDirectory, type MountNamespace } from '../../../tools/node/namespace.js';
import type { ReadableDisk } from '../../mappers/mapper.js';
import type { ViewPlan, ViewReport } from './server.js';

const answerWithinMs = 60_000;

export interface ViewProcess {
  /** From where its image is read; may be told before anything is asked for. */
  useDisk(disk: ReadableDisk): void;
  /** From now on it counts what is read. @throws CephbackupError VIEW_FAILED */
  begin(): Promise<void>;
  /** @throws CephbackupError VIEW_FAILED */
  report(): Promise<ViewReport>;
  daemon: Daemon;
}

export interface ViewRequest {
  startDaemon: StartDaemon;
  env: Environment;
  /** argv of the server. */
  command: readonly string[];
  namespace: MountNamespace;
  plan: ViewPlan;
  /** Called once, when something is read before it is known where. */
  onNeed: () => void;
  /** Called where the disk stands still, with the offset that is waited for; whoever reads has an error by then. */
  onStall: (offset: number) => void;
  /** Called where the disk cannot be read; whoever reads has an error, too. */
  onFailure: (error: CephbackupError) => void;
}

/** Mounts the view at `volumeDirectory`, served by a process of its own. @throws CephbackupError VIEW_FAILED */
export async function startView(request: ViewRequest): Promise<ViewProcess> {
  const waiting = new Map<string, (rest: string) => void>();
  // One waits for the kernel; the others read the device.
  const command = ['env', 'UV_THREADPOOL_SIZE=8', ...request.command];
  const [program, args] = mountedServer(volumeDirectory, command);
  const daemon = request.startDaemon(program, args, {
    env: request.env,
    namespace: request.namespace,
    onLine: (line) => {
      const [word = ''] = line.split(' ', 1);
      if (word === 'need') request.onNeed();
      if (word === 'stalled') request.onStall(Number(line.slice(word.length + 1)));
      if (word === 'failed')
        request.onFailure(failed(`the clone cannot be read: ${line.slice(word.length + 1)}`));
      waiting.get(word)?.(line.slice(word.length + 1));
    },
  });
  const answer = async (word: string, line: string): Promise<string> => {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        new Promise<string>((resolve, reject) => {
          waiting.set(word, resolve);
          timer = setTimeout(reject, answerWithinMs, failed(`no answer after ${answerWithinMs / 1000} s`));
          daemon.send(line);
        }),
        daemon.ended.then((message) => {
          throw failed(message);
        }),
      ]);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    await answer('ready', JSON.stringify(request.plan));
  } catch (thrown) {
    await daemon.stop();
    throw thrown;
  }
  return {
    daemon,
    useDisk: (disk) => {
      daemon.send(`disk ${JSON.stringify(disk)}`);
    },
    begin: async () => {
      await answer('begun', 'begin');
    },
    report: async () => JSON.parse(await answer('report', 'report')) as ViewReport,
  };
}

function failed(message: string): CephbackupError {
  return new CephbackupError('VIEW_FAILED', `the view of the disk: ${message}`);
}
