import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from './checkout.js';
import type { Owner } from './owner.js';
import { inUserland, type Userland } from './vm/machine.js';

/** What jest counts, in the file that `--json --outputFile` writes. */
interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

/**
 * Runs tests by jest and says how many passed. The totals also go to the file that SANDBOX_TOTALS names, as JSON, with
 * what failed and why.
 *
 * @param userland whose programs the tests are run with
 * @returns an exit code
 */
export async function runJest(
  { folder, beforeSignal }: Owner,
  args: readonly string[],
  env: Record<string, string>,
  userland: Userland = 'host',
): Promise<number> {
  const outputFile = path.join(folder, 'results.json');
  const options = ['--rootDir', checkout, '--json', '--outputFile', outputFile];
  const run = startJest([...options, ...args], env, userland);
  beforeSignal(() => run.stop());
  const code = await run.ended;
  const results = JSON.parse(await readFile(outputFile, 'utf8')) as Results;
  const totals = count(results);
  if (process.env.SANDBOX_TOTALS !== undefined) {
    await writeFile(process.env.SANDBOX_TOTALS, JSON.stringify({ ...totals, failures: failures(results) }));
  }
  for (const name of skippedTests(results)) console.log(`skipped: ${name}`);
  console.log(`tests: ${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  if (totals.passed === 0) return code || 1;
  return code;
}

function startJest(args: string[], env: Record<string, string>, userland: Userland) {
  const jest = path.join(checkout, 'node_modules/jest/bin/jest.js');
  const node = userland === 'host' ? process.execPath : 'node';
  const argv = inUserland(userland, [node, jest, ...args]);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
    // A group of its own, so that all of its processes can be told to end.
    detached: true,
  });
  const ended = once(child, 'close').then(([code]) => (code as number | null) ?? 1);
  const stop = async () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    await ended;
  };
  return { ended, stop };
}

function count(results: Results) {
  return {
    passed: results.numPassedTests,
    // A file that could not even be loaded has no failed test, but has failed.
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

/** Each failed test, and each file that could not be loaded, with its message. */
function failures({ testResults }: Results): string[] {
  return testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, message, assertionResults }) => {
      const file = path.relative(checkout, name);
      const failed = assertionResults.filter(({ status }) => status === 'failed');
      if (failed.length === 0) return [`${file}\n${message}`];
      return failed.map(({ fullName, failureMessages }) =>
        [`${file}: ${fullName}`, ...failureMessages].join('\n'),
      );
    });
}

function skippedTests({ testResults }: Results): string[] {
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'pending' || status === 'todo')
      .map(({ fullName }) => `${path.relative(checkout, name)}: ${fullName}`),
  );
}
