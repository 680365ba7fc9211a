import { beforeAll, expect, test } from '@jest/globals';
import { Client } from '../../sandbox/recipes/client.js';
import type { Container } from '../../sandbox/recipes/container.js';
import { annotationsOf } from '../../sandbox/recipes/document.js';
import { lost, numbersIn, Rehearsal, type Backup } from './rehearsal.js';

const at = '/var/lib/mysql';
const password = "it's a $secret";
const asRoot = ['-uroot', `-p${password}`];

function serve(container: Container) {
  const small = ['--innodb-log-file-size=8M', '--innodb-buffer-pool-size=16M'];
  const argv = ['mariadbd', '--no-defaults', '--datadir', at, '--socket=/run/mysqld/mysqld.sock', ...small];
  return container.server(argv, 'mysql', ['mariadb-admin', ...asRoot, 'ping']);
}

let rehearsal: Rehearsal;
let write: (engine: string) => (count: number) => Promise<void>;

beforeAll(async () => {
  rehearsal = await Rehearsal.create('mariadb', {
    places: [{ claim: 'mariadb', at, owner: 'mysql' }],
    annotations: annotationsOf('mariadb'),
    env: { MARIADB_ROOT_PASSWORD: password },
  });
  const { container } = rehearsal;
  await prepare(container);
  await container.run('mariadb-install-db', [
    ...['--no-defaults', '--user=mysql', `--datadir=${at}`, '--skip-test-db'],
    '--auth-root-authentication-method=normal',
  ]);
  await serve(container);
  const sql = `ALTER USER root@localhost IDENTIFIED BY '${password.replaceAll("'", "''")}'`;
  await container.run('mariadb', ['-uroot', '-e', sql]);
  const client = new Client([...container.enter(), 'mariadb', ...asRoot, '-N', '-n']);
  for (const engine of ['InnoDB', 'MyISAM', 'Aria'])
    await client.ask(
      `CREATE DATABASE IF NOT EXISTS app; CREATE TABLE app.${engine} (n INT PRIMARY KEY, x VARCHAR(50)) ENGINE=${engine}; SELECT 1;`,
    );
  write = (engine) => async (count) => {
    const answer = await client.ask(
      `INSERT INTO app.${engine} VALUES (${count}, REPEAT('x', 50)); SELECT ${count};`,
    );
    expect(answer).toBe(String(count));
  };
});

async function prepare(container: Container): Promise<void> {
  await container.run('mkdir', ['/run/mysqld']);
  await container.run('chown', ['mysql:', '/run/mysqld']);
}

/** A table that is broken has lost all. */
async function lostIn(backup: Backup, table: string): Promise<number[]> {
  const restored = await rehearsal.restore();
  await prepare(restored);
  await serve(restored);
  const ask = (sql: string) => restored.attempt('mariadb', [...asRoot, '-N', '-e', sql]);
  const check = await ask(`CHECK TABLE app.${table} EXTENDED`);
  const { stdout, code } = await ask(`SELECT n FROM app.${table}`);
  const sound = code === 0 && check.stdout.endsWith('\tstatus\tOK\n');
  return lost(backup, sound ? numbersIn(stdout) : []);
}

test.each(['InnoDB', 'Aria'])('%s needs no hook', async (engine) => {
  expect(await lostIn(await rehearsal.backUp(write(engine)), engine)).toEqual([]);
});

test('MyISAM loses nothing with the hook, and something without it', async () => {
  const engine = 'MyISAM';
  expect(await lostIn(await rehearsal.backUp(write(engine)), engine)).not.toEqual([]);
  const backup = await rehearsal.backUp(write(engine), { hooks: true });
  expect(backup.heldSeconds).toBeGreaterThan(0);
  expect(await lostIn(backup, engine)).toEqual([]);
});
