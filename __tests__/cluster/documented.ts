import { readFileSync } from 'node:fs';
import { run } from '../../sandbox/process.js';
import { commandPath } from './kubernetes.js';

/** The commands that a page shows and says are tried, in order. */
export function documentedCommands(file = 'README.md'): string[] {
  const page = readFileSync(file, 'utf8');
  return [...page.matchAll(/<!-- The tests run this. -->\n\n```sh\n(.*?)```/gs)].map(
    ([, block = '']) => block,
  );
}

/** Runs a block as its reader would: in a shell, in a folder with the files that the page asks for. */
export function runDocumented(block: string, folder: string): Promise<string> {
  return run('bash', ['-euo', 'pipefail', '-c', block], {
    cwd: folder,
    env: { PATH: commandPath },
    // What the page itself waits for is shorter.
    timeout: 20 * 60_000,
  });
}
