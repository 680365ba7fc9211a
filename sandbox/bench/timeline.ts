import { formatTable } from '../../lib/cli/output/table.js';

/** One external command of a run, or `map`. */
export interface TimedCommand {
  /** Program and subcommand: `rbd snap create`. */
  name: string;
  /** Seconds since the program was started. */
  at: number;
  seconds: number;
}

interface LogLine {
  message?: string;
  command?: string;
  timestamp?: string;
}

/** The commands in a log of `--log-level debug --log-format json`, in the order of their beginnings. */
export function timedCommands(log: string, began: number): TimedCommand[] {
  const running = new Map<string, number[]>();
  const cloned = new Map<string, number>();
  const commands: TimedCommand[] = [];
  for (const { message, command, timestamp } of log.split('\n').map(parse)) {
    if (command === undefined || timestamp === undefined) continue;
    const at = (Date.parse(timestamp) - began) / 1000;
    const object = command.slice(command.lastIndexOf('/') + 1);
    if (message === 'command starts') {
      running.set(command, [...(running.get(command) ?? []), at]);
      // Mapping is no command: it lasts from the clone until its first bytes are read.
      const mapping = command.startsWith('od ') ? cloned.get(object) : undefined;
      if (mapping !== undefined) commands.push({ name: 'map', at: mapping, seconds: at - mapping });
    }
    if (message !== 'command ended') continue;
    if (command.includes(' clone ')) cloned.set(object, at);
    const start = running.get(command)?.shift() ?? at;
    commands.push({ name: shortName(command), at: start, seconds: at - start });
  }
  return commands.toSorted((a, b) => a.at - b.at);
}

/** When each command began and how long it took, for one run of few volumes. */
export function timelineTable(commands: readonly TimedCommand[], wall: number): string {
  const rows = commands.map(({ name, at, seconds }) => [at.toFixed(2), seconds.toFixed(2), name]);
  return formatTable(['AT', 'SECONDS', 'COMMAND'], [...rows, [wall.toFixed(2), '', '(end of the run)']]);
}

/** Seconds of each kind of command, all of them together. */
export function totals(commands: readonly TimedCommand[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, seconds } of commands) sums.set(name, (sums.get(name) ?? 0) + seconds);
  return sums;
}

/** How many processes of each kind a volume took; what a run takes but once is shared among all. */
export function processesTable(commands: readonly TimedCommand[], volumes: number): string {
  const counts = new Map<string, number>();
  for (const { name } of commands) counts.set(name, (counts.get(name) ?? 0) + 1);
  const rows = [...counts]
    .filter(([name]) => name !== 'map')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => [name, (count / volumes).toFixed(1)]);
  return formatTable(['COMMAND', 'A VOLUME'], rows);
}

function parse(line: string): LogLine {
  if (!line.startsWith('{')) return {};
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return {};
  }
}

/** Programs whose first word says what they do; `rbd` and `ceph` have it behind the options of the connection. */
function shortName(command: string): string {
  const [program = '', ...words] = command.split(' ');
  if (!['rbd', 'ceph', 'restic'].includes(program)) return program;
  const own = words
    .join(' ')
    .replace(/^(?:--(?:conf|id|keyring|mon-host) \S+ |--client-mount-timeout=\d+ )*/, '');
  const subcommand = /^(?:(?:snap|device|trash|image-meta|cat|osd|fs) )?[a-z-]+/.exec(own)?.[0] ?? '';
  const manifests = own.includes('--host=k8s-manifests') ? ' (manifests)' : '';
  return `${program} ${subcommand}${manifests}`;
}
