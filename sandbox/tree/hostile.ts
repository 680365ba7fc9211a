import { link, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { run } from '../process.js';

const bytes = (...values: number[]) => Buffer.from(values);
const text = (value: string) => Buffer.from(value);

/** Names that every tool must carry from end to end without a change. */
export const hostileNames: Buffer[] = [
  text('new\nline'),
  text('\n'),
  text('escape \x1b[31mred\x1b[0m'),
  text('carriage\rreturn\ttab'),
  bytes(0x69, 0x6e, 0x76, 0x61, 0x6c, 0x69, 0x64, 0xff, 0xfe, 0x80),
  bytes(0xff),
  // Half of a character that UTF-8 writes in three bytes.
  bytes(0xe2, 0x82),
  text('-rf'),
  text('--exclude=*'),
  text(' leading and trailing '),
  text('"double" \'single\' `back` $(touch x) ${HOME}'),
  text('back\\slash\\012'),
  text('*?[a-z]{1,2}'),
  text('~'),
  text('#hash'),
  text('...'),
  text('\u00e9 composed'),
  text('e\u0301 decomposed'),
  text('\u{1f40b}\u202e right to left'),
  text('a'.repeat(255)),
  bytes(...Array<number>(255).fill(0xfe)),
];

/**
 * Fills `root` (on a filesystem with ACLs, as root) with everything that a backup can get wrong: names, modes, owners,
 * ACLs, attributes, hard links, sparse files, devices, and times in nanoseconds before 1970 and after 2038.
 */
export async function makeHostileTree(root: string): Promise<void> {
  await makeNames(root);
  await makeModes(root);
  await makeAttributes(root);
  await makeLinks(root);
  await makeSparseFiles(root);
  await makeSpecialFiles(root);
  await makeDeepFolder(root);
  // Times come last: whatever is made in a folder changes the folder's.
  await makeTimes(root);
}

async function makeNames(root: string): Promise<void> {
  await mkdir(`${root}/names`);
  for (const [index, name] of hostileNames.entries()) {
    const file = Buffer.concat([text(`${root}/names/`), name]);
    // Half of them are folders, with the same name again inside.
    if (index % 2 === 0) {
      await writeFile(file, `content ${index}`);
    } else {
      await mkdir(file);
      await writeFile(Buffer.concat([file, text('/'), name]), `content ${index}`);
    }
  }
}

async function makeModes(root: string): Promise<void> {
  await mkdir(`${root}/modes/empty`, { recursive: true });
  for (const mode of ['0000', '0001', '0400', '0644', '1777', '2755', '4755', '6711']) {
    const file = `modes/${mode}`;
    await writeFile(`${root}/${file}`, mode);
    // The owner first: a change of owner drops setuid.
    await run('chown', [`${1000 + parseInt(mode, 8)}:4294967294`, file], { cwd: root });
    await run('chmod', [mode, file], { cwd: root });
  }
  await run('chmod', ['3770', 'modes/empty'], { cwd: root });
  await writeFile(`${root}/modes/empty-file`, '');
}

async function makeAttributes(root: string): Promise<void> {
  await mkdir(`${root}/attributes/folder`, { recursive: true });
  const file = 'attributes/file';
  await writeFile(`${root}/${file}`, 'x');
  const set = (name: string, value: string, target: string) =>
    run('setfattr', ['--no-dereference', '--name', name, '--value', value, target], { cwd: root });
  await set('user.plain', 'value', file);
  await set('user.binary', '0x00ff0a0d', file);
  await set('user.empty', '', file);
  await set('user.\u00e9 \u{1f40b}', 'x', file);
  await set('user.long', 'l'.repeat(400), file);
  await set('trusted.only-root', 'y', file);
  await set('user.on-folder', 'z', 'attributes/folder');
  // cap_net_bind_service=ep
  await set('security.capability', '0x0100000200040000000000000000000000000000', file);
  await symlink('file', `${root}/attributes/symlink`);
  await set('trusted.on-symlink', 's', 'attributes/symlink');
  await run('setfacl', ['-m', 'u:1234:rw,g:4321:r,m::rw', file], { cwd: root });
  await run('setfacl', ['-m', 'u:99:rx', '-d', '-m', 'g:77:rwx', 'attributes/folder'], { cwd: root });
}

async function makeLinks(root: string): Promise<void> {
  await mkdir(`${root}/links/other`, { recursive: true });
  await writeFile(`${root}/links/first`, 'one inode, three names');
  await link(`${root}/links/first`, `${root}/links/second`);
  await link(`${root}/links/first`, `${root}/links/other/third`);
  await writeFile(`${root}/links/same-content`, 'one inode, three names');
  await symlink('first', `${root}/links/symlink`);
  await symlink('/nowhere/at/all', `${root}/links/dangling`);
  await symlink(bytes(0xff, 0x0a, 0x2d), Buffer.from(`${root}/links/invalid-target`));
  await symlink('t'.repeat(1000), `${root}/links/long-target`);
}

async function makeSparseFiles(root: string): Promise<void> {
  await mkdir(`${root}/sparse`);
  for (const [name, size, at] of [
    ['only-a-hole', 8 * 1024 ** 2, null],
    ['data-at-the-end', 12 * 1024 ** 2, 12 * 1024 ** 2 - 5],
    ['data-in-the-middle', 6 * 1024 ** 2 + 123, 3 * 1024 ** 2 + 1],
  ] as const) {
    const file = await open(`${root}/sparse/${name}`, 'w');
    try {
      await file.truncate(size);
      if (at !== null) await file.write('data!', at);
    } finally {
      await file.close();
    }
  }
}

async function makeSpecialFiles(root: string): Promise<void> {
  await mkdir(`${root}/special`);
  await run('mkfifo', ['-m', '0640', 'special/fifo'], { cwd: root });
  await run('mknod', ['-m', '0666', 'special/null', 'c', '1', '3'], { cwd: root });
  await run('mknod', ['-m', '0660', 'special/disk', 'b', '259', '70000'], { cwd: root });
}

async function makeDeepFolder(root: string): Promise<void> {
  const folder = Array.from({ length: 12 }, (_, depth) => `${depth}`.padEnd(200, 'd')).join('/');
  await mkdir(`${root}/deep/${folder}`, { recursive: true });
  await writeFile(`${root}/deep/${folder}/file`, 'deep down');
}

async function makeTimes(root: string): Promise<void> {
  await mkdir(`${root}/times`);
  const times = {
    old: '-1.999999999',
    epoch: '0.000000001',
    now: '1700000000.123456789',
    late: '4102444800.1',
  };
  for (const [name, time] of Object.entries(times)) {
    await writeFile(`${root}/times/${name}`, name);
    await run('touch', ['-h', '-d', `@${time}`, `times/${name}`], { cwd: root });
  }
  await run('touch', ['-h', '-d', '@1234567890.987654321', 'links/symlink'], { cwd: root });
  await run('touch', ['-h', '-d', '@1111111111.111111111', 'modes/empty', 'names', 'times'], { cwd: root });
}
