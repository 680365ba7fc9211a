import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { connectNbd, type NbdDisk } from '../../lib/nbd/client.js';
import { Random } from '../qcow2/random.js';
import { temporaryFolder } from '../support/temporary.js';

const random = new Random(23);
const sizeBytes = 9 * 1024 ** 2 + 512;
const contents = random.bytes(sizeBytes);
const undo: (() => void)[] = [];

afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** QEMU, with a disk behind a socket. */
async function startServer() {
  const folder = await temporaryFolder();
  const [image, socket, ready] = ['disk', 'socket', 'ready'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(image, contents);
  const server = spawn(
    'qemu-storage-daemon',
    [
      ...['--blockdev', `driver=file,filename=${image},node-name=disk,read-only=on`],
      ...['--nbd-server', `addr.type=unix,addr.path=${socket}`],
      ...['--export', 'type=nbd,id=export,node-name=disk,name=disk', '--pidfile', ready],
    ],
    { stdio: 'inherit' },
  );
  undo.push(() => server.kill('SIGKILL'));
  while ((await open(ready).catch(() => null))?.close() === undefined) await sleep(10);
  return { socket, server };
}

function closing(disk: NbdDisk): NbdDisk {
  undo.push(() => {
    disk.close();
  });
  return disk;
}

test('what many read at once, in pieces of all sizes, is what the disk holds', async () => {
  const { socket } = await startServer();
  const disk = closing(await connectNbd(socket, 'disk'));
  expect(disk.sizeBytes).toBe(sizeBytes);
  const pieces = Array.from({ length: 200 }, () => {
    const offset = random.integer(0, sizeBytes);
    return { offset, length: random.integer(0, Math.min(5_000_000, sizeBytes - offset) + 1) };
  });
  await Promise.all(
    pieces.map(async ({ offset, length }) => {
      const into = Buffer.alloc(length);
      await disk.read(into, offset);
      expect(into.equals(contents.subarray(offset, offset + length))).toBe(true);
    }),
  );
});

test('an export that is not there is refused, and so is what lies behind the end, which harms no other read', async () => {
  const { socket } = await startServer();
  await expect(connectNbd(socket, 'other')).rejects.toThrow('NBD: the server refuses the export');
  const disk = closing(await connectNbd(socket, 'disk'));
  const [good, bad] = [Buffer.alloc(1024), Buffer.alloc(1024)];
  const ends = await Promise.allSettled([
    disk.read(bad, sizeBytes - 512),
    disk.read(good, 512),
    disk.read(bad, 2 ** 40),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  expect(good.equals(contents.subarray(512, 1536))).toBe(true);
});

test('reads fail when the server dies, those that wait and those that come', async () => {
  const { socket, server } = await startServer();
  const disk = closing(await connectNbd(socket, 'disk'));
  server.kill('SIGSTOP');
  const waiting = [0, 4096].map((offset) => disk.read(Buffer.alloc(4096), offset));
  server.kill('SIGKILL');
  const ends = await Promise.allSettled(waiting);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(disk.read(Buffer.alloc(512), 0)).rejects.toThrow();
});

test('nobody answers at a path without a server', async () => {
  await expect(connectNbd(path.join(await temporaryFolder(), 'none'), 'disk')).rejects.toThrow('ENOENT');
});

const u32 = (...numbers: number[]) => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, at) => bytes.writeUInt32BE(number, 4 * at));
  return bytes;
};
const greeting = Buffer.from('NBDMAGICIHAVEOPT\0\x03', 'latin1');
const optionReply = (type: number, data = Buffer.alloc(0)) =>
  Buffer.concat([Buffer.from('0003e889045565a9', 'hex'), u32(7, type, data.length), data]);
const info = optionReply(3, Buffer.from('000000000000000010000001', 'hex'));
const talk = Buffer.concat([greeting, info, optionReply(1)]);

/** A server that sends some bytes, whatever is asked, and hangs up. */
async function lyingServer(bytes: Buffer): Promise<string> {
  const socket = path.join(await temporaryFolder(), 'socket');
  const server = createServer((client: Socket) => {
    client.on('error', () => undefined);
    client.end(bytes);
  }).listen(socket);
  undo.push(() => server.close());
  await once(server, 'listening');
  return socket;
}

test.each([
  ['another protocol', Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian'), 'another protocol'],
  [
    'the oldest negotiation',
    Buffer.from('NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0', 'latin1'),
    'another protocol',
  ],
  ['no words at all', Buffer.alloc(0), 'ended the connection'],
  ['half a greeting', greeting.subarray(0, 10), 'ended the connection'],
  ['a malformed answer', Buffer.concat([greeting, Buffer.alloc(20)]), 'malformed'],
  ['an answer that never ends', Buffer.concat([greeting, optionReply(3).fill(0xff, 16)]), 'malformed'],
  ['an unknown answer', Buffer.concat([greeting, optionReply(9)]), 'unknown type 9'],
])('a server with %s is refused', async (_, bytes, message) => {
  await expect(connectNbd(await lyingServer(bytes), 'disk')).rejects.toThrow(message);
});

test.each([
  ['an answer to no question', Buffer.concat([talk, u32(0x67446698, 0, 0, 99)])],
  ['a malformed answer', Buffer.concat([talk, Buffer.alloc(16)])],
  ['half of the data', Buffer.concat([talk, u32(0x67446698, 0, 0, 1), Buffer.alloc(300)])],
])('a read that gets %s fails', async (_, bytes) => {
  const disk = closing(await connectNbd(await lyingServer(bytes), 'disk'));
  await expect(disk.read(Buffer.alloc(512), 0)).rejects.toThrow('NBD');
});

test('random bytes at any point of the talk make no read succeed that was not answered', async () => {
  for (let round = 0; round < 300; round += 1) {
    const cut = random.integer(0, talk.length + 1);
    const bytes = Buffer.concat([talk.subarray(0, cut), random.bytes(random.integer(0, 200))]);
    const socket = await lyingServer(bytes);
    const read = connectNbd(socket, 'disk').then((disk) => disk.read(Buffer.alloc(4096), 0));
    await expect(read).rejects.toThrow();
  }
});
