/** How a program ended, as far as it tells whether the same may succeed in a moment. */
export interface Answer {
  program: string;
  /** Null where it has none. */
  exitCode: number | null;
  /** A signal that was not ours. */
  signal: string | null;
  /** Whether it was stopped because its time was over. */
  late: boolean;
  stderr: string;
}

/** One kind of answer that passes by itself. */
export interface Passing {
  programs: readonly string[];
  /** What must be true of the answer; what is left out may be anything. */
  exitCodes?: readonly number[];
  text?: RegExp;
  signal?: true;
  late?: true;
  /** What is waited for, to be told. */
  what: string;
  /** Attempts at most, where waiting longer would not help. */
  most?: number;
  /** Where the answer comes from. */
  source: string;
}

const errno = { EAGAIN: 11, EBUSY: 16, ENOTSUP: 95, ESHUTDOWN: 108, ETIMEDOUT: 110 };
const ceph = ['ceph', 'rbd'];

/**
 * The answers that pass by themselves. What needs somebody's hand is not among them: a key that is refused, a module
 * of the manager that is switched off or has crashed, a full pool, a name that does not exist.
 */
export const passingAnswers: readonly Passing[] = [
  {
    programs: ['ceph'],
    exitCodes: [errno.ENOTSUP, errno.ETIMEDOUT],
    text: /due to ceph-mgr restart/,
    what: "Ceph's manager has just started and does not know its commands yet",
    source:
      'ceph src/mgr/DaemonServer.cc, _handle_command: ENOTSUP, later ETIMEDOUT, while the map of PGs is not ready',
  },
  {
    programs: ceph,
    exitCodes: [errno.EAGAIN],
    what: 'Ceph asks to try again',
    source:
      'ceph src/pybind/mgr/volumes: "is not ready for operation", pending clones; librbd: exclusive lock in transition',
  },
  {
    programs: ceph,
    exitCodes: [errno.ETIMEDOUT],
    what: "Ceph's monitors or OSDs do not answer in time",
    source:
      'ceph src/mon/MonClient.cc, authenticate: client_mount_timeout; src/osdc/Objecter.cc: rados_osd_op_timeout',
  },
  {
    programs: ['ceph'],
    exitCodes: [1],
    text: /(\[errno 110\]|TimedOut|timed out).*error connecting to the cluster|error connecting to the cluster.*(errno 110|TimedOut|timed out)/i,
    what: "Ceph's monitors do not answer in time",
    source: 'ceph src/ceph.in, main: any failure to connect is exit code 1, with the errno in its text',
  },
  {
    programs: ['rbd'],
    exitCodes: [errno.EBUSY],
    text: /still has watchers/,
    what: 'a client that is gone is still known to watch the image (for 30 s)',
    source: 'ceph src/tools/rbd/action/Remove.cc; osd_client_watch_timeout',
  },
  {
    programs: ['rbd'],
    exitCodes: [errno.EBUSY],
    text: /unmap failed/,
    what: 'somebody has just opened the device',
    source: 'ceph src/tools/rbd/action/Kernel.cc; udev reads each new device',
  },
  {
    programs: ceph,
    exitCodes: [errno.ESHUTDOWN],
    what: 'Ceph has blocklisted this client; the next one is another',
    source: 'ceph src/osdc/Objecter.cc, blocklisted: ESHUTDOWN',
  },
  {
    programs: ['mount'],
    text: /no mds (server|\(Metadata Server\)) is up|mount error: 110\b|mount error 110\b/i,
    what: 'no metadata server of the filesystem answers',
    source:
      'ceph src/mount/mount.ceph.c, EHOSTUNREACH and ETIMEDOUT, with the texts of 16 and of 17 and later',
  },
  {
    programs: ['restic'],
    exitCodes: [1],
    text: /connection refused|connection reset by peer|i\/o timeout|TLS handshake timeout|no such host|no route to host|network is unreachable|(unexpected HTTP response|server response unexpected).{0,20}\b(429|5\d\d)\b|circuit breaker open/i,
    what: 'the repository does not answer',
    source:
      'restic internal/backend/{rest,retry}, Go net: what opening a backend is not repeated for by restic itself',
  },
  {
    programs: [...ceph, 'restic'],
    signal: true,
    most: 3,
    what: 'a program died',
    source:
      'observed: `rbd ls --long` of 16.2 aborts in its own library now and then while images are removed',
  },
  {
    programs: ceph,
    late: true,
    most: 2,
    what: 'a command did not end in its time',
    source: 'a request to a manager, monitor or OSD that failed over meanwhile is never answered',
  },
];

/**
 * restic tries again by itself, for 15 minutes, and says so line by line [restic internal/backend/retry/backend_retry.go;
 * changelog of 0.10: "operation successful after"].
 */
export const retrying = {
  program: 'restic',
  what: 'the repository does not answer, and restic tries again',
  begins: /returned error, retrying after [^:]+: (.*)/,
  ends: /operation successful after \d+ retries/,
} as const;

/** Why a program that tries again by itself last did so; null where it did not. */
export function retriedReason(stderr: string): string | null {
  const line = stderr.split('\n').findLast((text) => retrying.begins.test(text));
  return line === undefined ? null : (retrying.begins.exec(line)?.[1]?.trim().slice(0, 500) ?? null);
}

/** The kind of answer that passes by itself, if this is one. */
export function passing(answer: Answer): Passing | null {
  const { program, exitCode, signal, late, stderr } = answer;
  const found = passingAnswers.find((row) => {
    if (!row.programs.includes(program)) return false;
    if ((row.signal ?? false) !== (signal !== null) || (row.late ?? false) !== late) return false;
    if (row.exitCodes !== undefined && (exitCode === null || !row.exitCodes.includes(exitCode))) return false;
    return exitCode !== 0 && (row.text?.test(stderr) ?? true);
  });
  return found ?? null;
}
