import { expect, test } from '@jest/globals';
import { Client } from '../../sandbox/recipes/client.js';
import type { Container } from '../../sandbox/recipes/container.js';
import { annotationsOf, commandsOf } from '../../sandbox/recipes/document.js';
import { run } from '../../sandbox/process.js';
import { FaultyPrograms } from '../support/faults.js';
import { searchPath } from '../../sandbox/tools.js';
import { prefix } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { lost, numbersIn, Rehearsal, type Backup } from './rehearsal.js';

const at = '/var/lib/postgresql';
const data = `${at}/data`;

async function initialize(container: Container, settings: string[]): Promise<void> {
  await prepare(container);
  await container.run('initdb', ['-D', data, '--auth=trust', '--data-checksums', '-E', 'UTF8'], 'postgres');
  const lines = settings.join('\n');
  await container.run('sh', ['-c', 'printf "%s\\n" "$1" >>"$2"', 'sh', lines, `${data}/postgresql.conf`]);
  await container.run('sync', ['-f', at]);
}

async function prepare(container: Container): Promise<void> {
  await container.run('mkdir', ['/run/postgresql']);
  await container.run('chown', ['postgres:', '/run/postgresql']);
}

function serve(container: Container) {
  // What recovers from an archive answers questions before it is done.
  const ready = psql('SELECT 1 / (NOT pg_is_in_recovery())::int');
  return container.server(['postgres', '-D', data], 'postgres', ready);
}

const psql = (sql: string) => ['psql', '-U', 'postgres', '-Atq', '-c', sql];

async function writerOf(container: Container, where: string) {
  const client = new Client([...container.enter('postgres'), ...psql('').slice(0, -2)]);
  await client.ask(`CREATE TABLE t (n INT PRIMARY KEY, x TEXT) ${where}; SELECT 'made';`);
  return async (count: number) => {
    const answer = await client.ask(`INSERT INTO t VALUES (${count}, repeat('x', 1500)) RETURNING n;`);
    expect(answer).toBe(String(count));
  };
}

function call(container: Container, [program = '', ...args]: readonly string[]) {
  return container.attempt(program, args, 'postgres');
}

/** What is not sound has lost all. */
async function lostIn(restored: Container, backup: Backup): Promise<number[]> {
  await prepare(restored);
  await serve(restored);
  const amcheck = ['pg_amcheck', '-U', 'postgres', '--install-missing', '--heapallindexed', 'postgres'];
  const { code, stdout, stderr } = await call(restored, amcheck);
  const rows = await call(restored, psql('SELECT n FROM t'));
  if (code !== 0) console.log(stdout, stderr);
  return lost(backup, code === 0 ? numbersIn(rows.stdout) : []);
}

test('in one volume it needs no hook', async () => {
  const rehearsal = await Rehearsal.create('postgresql', {
    places: [{ claim: 'one', at, owner: 'postgres' }],
  });
  await initialize(rehearsal.container, []);
  await serve(rehearsal.container);
  const backup = await rehearsal.backUp(await writerOf(rehearsal.container, ''));
  const restored = await rehearsal.restore();
  await restored.run('rm', ['-f', `${data}/postmaster.pid`]);
  expect(await lostIn(restored, backup)).toEqual([]);
});

test('in several volumes it needs the hook, and the archive', async () => {
  const archive = await temporaryFolder('archive');
  await run('chown', ['postgres:', archive]);
  const rehearsal = await Rehearsal.create('postgresql', {
    places: [
      { claim: 'data', at, owner: 'postgres' },
      { claim: 'space', at: '/var/lib/tablespace', owner: 'postgres' },
    ],
    annotations: annotationsOf('postgresql'),
    claimAnnotations: { [`${prefix}/group`]: 'postgresql' },
  });
  const { container } = rehearsal;
  await container.bind(archive, '/archive');
  await initialize(container, [
    'archive_mode=on',
    "archive_command='cp %p /archive/%f'",
    "restore_command='cp /archive/%f %p'",
  ]);
  await serve(container);
  await container.run('mkdir', ['/var/lib/tablespace/space'], 'postgres');
  await call(container, psql("CREATE TABLESPACE other LOCATION '/var/lib/tablespace/space'"));
  const write = await writerOf(container, 'TABLESPACE other');
  // Between the moments of the two volumes there is a checkpoint: recovery does not look at what was before it.
  const [withWal = '', withTable = ''] = rehearsal.images;
  const command = [...container.enter('postgres'), ...psql('CHECKPOINT')].map(quoted).join(' ');
  const apart = () =>
    new FaultyPrograms(
      [
        { program: 'rbd', when: `*snap create*${withTable}*`, mode: 'then', command },
        { program: 'rbd', when: `*snap create*${withWal}*`, mode: 'delay' },
      ],
      searchPath(),
    );
  const restore = async (backup: Backup, commands: string) => {
    const restored = await rehearsal.restore();
    await restored.bind(archive, '/archive');
    const script = ['-euc', `cd ${data}\n${commands}`];
    await restored.run('bash', script, 'postgres');
    return lostIn(restored, backup);
  };
  const without = await rehearsal.backUp(write, { programs: apart() });
  expect(await restore(without, 'rm -f postmaster.pid')).not.toEqual([]);
  const backup = await rehearsal.backUp(write, { programs: apart(), hooks: true });
  expect(backup.heldSeconds).toBeGreaterThan(0);
  expect(await restore(backup, commandsOf('postgresql-restore'))).toEqual([]);
});

/** A word of a shell's line. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
