import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './checkout.js';
import { waitFor } from './process.js';
import { isAlive, keeperLog, sandboxState } from './state.js';

const usage = `usage: npm run sandbox -- up|down|status|env

  up      starts a Ceph, a Kubernetes API and a restic repository with sample claims, in the background
  down    ends and removes all of it
  status  says what is up; exit code 1 if nothing is
  env     prints what a shell needs: eval "$(npm run -s sandbox -- env)"`;

const commands: Record<string, () => Promise<number> | number> = { up, down, status, env };
const [name = '', ...rest] = process.argv.slice(2);
const command = rest.length === 0 ? commands[name] : undefined;
if (command === undefined) console.error(usage);
process.exit(command === undefined ? 2 : await command());

async function up(): Promise<number> {
  if (sandboxState()?.ready != null) {
    console.log('The sandbox is up already.');
    return status();
  }
  const log = openSync(keeperLog, 'w');
  // A session of its own: it outlives this command and its terminal.
  const keeper = spawn(process.execPath, [path.join(checkout, 'dist/sandbox/keeper.js')], {
    stdio: ['ignore', log, log],
    detached: true,
  });
  const keeperIs = { over: false };
  keeper.once('exit', () => (keeperIs.over = true));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => keeper.kill());
  try {
    await waitFor('the sandbox', 120_000, () => keeperIs.over || sandboxState()?.ready != null, 100);
  } catch (thrown) {
    keeper.kill();
    throw thrown;
  }
  if (keeperIs.over) {
    console.error(`The sandbox did not start:\n${readFileSync(keeperLog, 'utf8').slice(-2000)}`);
    return 1;
  }
  status();
  console.log('\nTry:\n  eval "$(npm run -s sandbox -- env)"\n  node dist/bin/cephbackup.js list');
  return 0;
}

async function down(): Promise<number> {
  const state = sandboxState();
  if (state === null) {
    console.log('The sandbox is not up.');
    return 0;
  }
  process.kill(state.pid, 'SIGTERM');
  try {
    await waitFor('the sandbox to end', 30_000, () => !isAlive(state), 50);
  } catch {
    // What it started dies with it.
    process.kill(state.pid, 'SIGKILL');
    await waitFor('the sandbox to end', 10_000, () => !isAlive(state), 50);
  }
  return 0;
}

function status(): number {
  const state = sandboxState();
  if (state === null) console.log('The sandbox is not up.');
  else for (const line of state.ready?.summary ?? ['The sandbox is starting.']) console.log(line);
  return state === null ? 1 : 0;
}

function env(): number {
  const ready = sandboxState()?.ready;
  if (ready == null) {
    console.error('The sandbox is not up: npm run sandbox -- up');
    return 1;
  }
  for (const [variable, value] of Object.entries(ready.env)) {
    console.log(`export ${variable}='${value.replaceAll("'", "'\\''")}'`);
  }
  return 0;
}
