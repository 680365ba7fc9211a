import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkout } from './checkout.js';
import { own } from './owner.js';
import { bootMachine, inUserland, userlands, type Userland } from './vm/machine.js';

/**
 * `vm.js USERLAND MINUTES [ARGUMENTS FOR JEST]`: tests with the program in a virtual machine, whose kernel has RBD and
 * CephFS. The tests themselves, Ceph and the Kubernetes API run on this host, in the machine's userland. Where the machine
 * dies or its time is over, what was not tested yet fails, and the end of its console is shown.
 */
await own(async ({ beforeSignal }) => {
  const [name, minutes, ...args] = process.argv.slice(2);
  const userland = userlands.find((known) => known === name);
  if (userland === undefined) throw new Error(`no such userland: ${String(name)} (${userlands.join(', ')})`);
  const lines: string[] = [];
  const machine = bootMachine({ userland, onLine: (line) => lines.push(line) });
  const tests = startTests(userland, args);
  beforeSignal(async () => {
    await tests.stop();
    machine.stop();
  });
  const timer = setTimeout(
    () => {
      machine.stop();
    },
    Number(minutes) * 60_000,
  );
  const first = await Promise.race([tests.ended, machine.ended.then(() => null)]);
  clearTimeout(timer);
  if (first === null) {
    console.log(
      `the virtual machine ended before the tests did, or took more than ${String(minutes)} minutes`,
    );
    // Each test that it is needed for fails at once.
    await Promise.race([tests.ended, sleep(60_000, null, { ref: false })]);
    await tests.stop();
  }
  const end = first ?? 1;
  if (end !== 0 || process.env.SANDBOX_CONSOLE !== undefined) {
    console.log('the last that the virtual machine said:');
    for (const line of lines.slice(-60)) console.log(`  | ${line}`);
  }
  return end;
});

function startTests(userland: Userland, args: readonly string[]) {
  // Of the userland's own Node.
  const node = userland === 'host' ? process.execPath : 'node';
  const argv = inUserland(userland, [node, path.join(checkout, 'dist/sandbox/test.js'), ...args]);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    env: { ...process.env, SANDBOX_GUEST: userland },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const ended = once(child, 'close').then(([code]) => (code as number | null) ?? 1);
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { ended, stop };
}
