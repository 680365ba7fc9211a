import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { serveSegmentsCommand } from '../lib/look/segments/command.js';
import { exportImageCommand, serveViewCommand } from '../lib/volumes/block/internal-command.js';

// The global `process`: importing node:process makes a stdout that is a pipe one that does not block.
if (process.argv[2] === exportImageCommand) {
  const { exportImage } = await import('../lib/volumes/block/producer.js');
  process.exit(await exportImage(process.argv[3] ?? '', process.env));
}

if (process.argv[2] === serveViewCommand) {
  const { serveView } = await import('../lib/volumes/block/segments/server.js');
  process.exit(await serveView(process.stdin, process.stdout));
}

if (process.argv[2] === serveSegmentsCommand) {
  const { serveSegments } = await import('../lib/look/segments/serve.js');
  process.exit(await serveSegments(process.argv[3] ?? '', process.stdout));
}

const [{ main }, { commands }] = await Promise.all([
  import('../lib/cli/main.js'),
  import('../lib/commands/index.js'),
]);
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// kubectl runs its plugin `cephbackup` by the name `kubectl-cephbackup`.
const called = path.basename(process.argv[1] ?? '');
const code = await main({
  commands,
  name: called === 'kubectl-cephbackup' ? 'kubectl cephbackup' : 'cephbackup',
  argv: process.argv.slice(2),
  env: process.env,
  version,
  hostname: hostname(),
  stdin: process.stdin,
  // Waits until everything is written: an exit cuts what a pipe has not taken yet.
  stdout: (text) =>
    new Promise((resolve) => {
      // A reader that went away, like `head`, is no failure of the backup.
      process.stdout.once('error', () => {
        resolve();
      });
      process.stdout.write(text, () => {
        resolve();
      });
    }),
  ...(process.stdout.isTTY ? { columns: process.stdout.columns } : {}),
  stderr: process.stderr,
  onSignal: (listener) => {
    process.on('SIGTERM', listener);
    process.on('SIGINT', listener);
    // A terminal that went away ends a run as gently as SIGTERM does.
    process.on('SIGHUP', () => {
      listener('SIGTERM');
    });
  },
});
await new Promise<void>((resolve) =>
  process.stderr.write('', () => {
    resolve();
  }),
);
process.exit(code);
