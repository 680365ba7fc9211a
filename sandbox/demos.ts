import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { checkout, statePath } from './checkout.js';

/**
 * `npm run test:demos [-- --times N --busy N]`: the demo again and again on a machine that is kept busy, every second
 * time with Ceph's manager killed in the middle and started anew.
 */
const { values: options } = parseArgs({
  options: {
    times: { type: 'string', default: '20' },
    /** Processes that do nothing but take time. */
    busy: { type: 'string', default: '2' },
  },
});

/** From the first backup on, when the manager is killed; the demo takes longer than that. */
const latestKillMs = 40_000;
/** How long the cluster then has no manager. */
const awayMs = 2_000;

interface Ended {
  passed: boolean;
  seconds: number;
  /** Seconds after the start; null: no manager was killed. */
  killedAfter: number | null;
  output: string;
}

async function demo(killManager: boolean): Promise<Ended> {
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);
  const child = spawn(process.execPath, [path.join(checkout, 'dist/sandbox/demo.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let manager: ChildProcess | null = null;
  let killedAfter: number | null = null;
  const kill = async () => {
    await sleep(Math.random() * latestKillMs);
    if (child.exitCode !== null) return;
    const argv = managerOf(child.pid ?? 0);
    killedAfter = seconds();
    process.kill(argv.pid, 'SIGKILL');
    await sleep(awayMs);
    const [program = '', ...args] = argv.args;
    manager = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
      env: argv.env,
      stdio: 'ignore',
    });
  };
  let killing: Promise<void> = Promise.resolve();
  let asked = false;
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) => {
      output += `${line}\n`;
      if (!killManager || asked || !line.startsWith('up after')) return;
      asked = true;
      killing = kill();
    });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  await killing;
  (manager as ChildProcess | null)?.kill('SIGKILL');
  return { passed: code === 0, seconds: seconds(), killedAfter, output };
}

/** The manager of the cluster that a demo has started. */
function managerOf(demoPid: number): { pid: number; args: string[]; env: Record<string, string> } {
  const folder = path.join(statePath(), 'run', `${demoPid}-`);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const args = wordsOf(pid, 'cmdline');
    const isManager = path.basename(args[0] ?? '') === 'ceph-mgr';
    const environment = isManager ? wordsOf(pid, 'environ') : [];
    if (!environment.some((word) => word.includes(folder))) continue;
    const pairs = environment.map((word) => [
      word.slice(0, word.indexOf('=')),
      word.slice(word.indexOf('=') + 1),
    ]);
    return { pid: Number(pid), args, env: Object.fromEntries(pairs) as Record<string, string> };
  }
  throw new Error('the demo has no manager');
}

function wordsOf(pid: string, file: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

const busy = Array.from({ length: Number(options.busy) }, () =>
  spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }),
);
const times = Number(options.times);
let passed = 0;
for (let count = 1; count <= times; count += 1) {
  const end = await demo(count % 2 === 0);
  passed += end.passed ? 1 : 0;
  const manager = end.killedAfter === null ? '' : `, manager killed after ${end.killedAfter} s`;
  console.log(`${count}/${times}: ${end.passed ? 'passed' : 'FAILED'} in ${end.seconds} s${manager}`);
  if (!end.passed) console.log(end.output.split('\n').slice(-60).join('\n'));
}
for (const one of busy) one.kill();
console.log(`${passed} of ${times} demos passed`);
process.exit(passed === times ? 0 : 1);
