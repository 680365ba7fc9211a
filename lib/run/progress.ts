import type { PlannedVolume } from '../plan/types.js';
import type { BackupProgress } from '../repository/backup.js';
import type { Logger } from '../log/logger.js';

/** Shows what each worker does. Steps are logged as well, by the volume itself. */
export interface Progress {
  step(volume: PlannedVolume, text: string): void;
  progress(volume: PlannedVolume, progress: BackupProgress): void;
  end(volume: PlannedVolume): void;
  /** Ends the view. */
  close(): void;
}

interface Work {
  name: string;
  text: string;
  since: number;
  progress: BackupProgress | null;
}

/** What is being worked on, by claim UID. */
class Workers {
  readonly current = new Map<string, Work>();

  step({ uid, namespace, pvc }: PlannedVolume, text: string): void {
    this.current.set(uid, { name: `${namespace}/${pvc}`, text, since: performance.now(), progress: null });
  }

  progress({ uid }: PlannedVolume, progress: BackupProgress): void {
    const work = this.current.get(uid);
    if (work !== undefined) work.progress = progress;
  }
}

/** How often a long step gives a sign of life. */
const signOfLifeMs = 30_000;

/** A sign of life in the log each 30 s while a step takes long: for logs that nobody watches on a terminal. */
export function logProgress(log: Logger): Progress {
  const workers = new Workers();
  const timer = setInterval(() => {
    for (const work of workers.current.values()) {
      const seconds = elapsed(work);
      if (seconds < signOfLifeMs / 1000) continue;
      log.info(`still ${work.text}`, { volume: work.name, seconds, ...(work.progress ?? {}) });
    }
  }, signOfLifeMs);
  return {
    step: (volume, text) => {
      workers.step(volume, text);
    },
    progress: (volume, progress) => {
      workers.progress(volume, progress);
    },
    end: ({ uid }) => {
      workers.current.delete(uid);
    },
    close: () => {
      clearInterval(timer);
    },
  };
}

/** One line a worker, redrawn in place. `draw` replaces what it drew before. */
export function liveProgress(draw: (text: string) => void): Progress {
  const workers = new Workers();
  const redraw = () => {
    draw([...workers.current.values()].map(line).join('\n'));
  };
  const timer = setInterval(redraw, 250);
  return {
    step: (volume, text) => {
      workers.step(volume, text);
      redraw();
    },
    progress: (volume, progress) => {
      workers.progress(volume, progress);
    },
    end: ({ uid }) => {
      workers.current.delete(uid);
      redraw();
    },
    close: () => {
      clearInterval(timer);
      draw('');
    },
  };
}

function line(work: Work): string {
  const { progress } = work;
  const done =
    progress === null ? '' : `  ${progress.files} files, ${Math.round(progress.bytes / 1_048_576)} MiB`;
  return `  ${work.name}  ${work.text} (${elapsed(work)} s)${done}`;
}

function elapsed({ since }: Work): number {
  return Math.round((performance.now() - since) / 1000);
}
