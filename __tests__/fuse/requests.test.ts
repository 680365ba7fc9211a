import { describe, expect, test } from '@jest/globals';
import { initReply, inHeaderBytes, opcode, parseHeader } from '../../lib/fuse/protocol.js';
import { answer } from '../../lib/fuse/requests.js';
import { withSeeds } from '../qcow2/random.js';
import { contents, treeOf } from './mounted.js';

const tree = treeOf({ d: { f: contents(Buffer.alloc(5000, 'x')) } });
const [root, folder, file] = [1, 2, 3];

function request(code: number, node: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const message = Buffer.alloc(inHeaderBytes + body.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt32LE(code, 4);
  message.writeBigUInt64LE(7n, 8);
  message.writeBigUInt64LE(BigInt(node), 16);
  body.copy(message, inHeaderBytes);
  return message;
}

function range(offset: bigint, length: number): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(offset, 8);
  body.writeUInt32LE(length, 16);
  return body;
}

async function answered(message: Buffer): Promise<number | string> {
  const header = parseHeader(message);
  if (header === null) return 'no request';
  const result = await answer(tree, header, message);
  return 'failure' in result ? `errno ${result.failure}` : Buffer.concat(result.body).length;
}

describe('requests', () => {
  test.each<[string, Buffer, number | string]>([
    ['a write', request(16, file), 'errno 38'],
    ['an operation that does not exist yet', request(4711, file), 'errno 38'],
    ['one on a node that does not exist', request(opcode.getattr, 99), 'errno 116'],
    ['a node beyond 2^53', request(opcode.getattr, Number.MAX_SAFE_INTEGER), 'errno 116'],
    ['a read without a range', request(opcode.read, file), 'errno 22'],
    ['a read of a folder', request(opcode.read, folder, range(0n, 10)), 'errno 21'],
    ['a list of a file', request(opcode.readdir, file, range(0n, 4096)), 'errno 20'],
    ['a read that ends behind the file', request(opcode.read, file, range(4990n, 4096)), 10],
    ['a read from its end', request(opcode.read, file, range(5000n, 4096)), 0],
    ['a read from 2^64 - 1', request(opcode.read, file, range(2n ** 64n - 1n, 4096)), 0],
    ['a list from behind its end', request(opcode.readdir, root, range(99n, 4096)), 0],
    ['a list with room for nothing', request(opcode.readdirplus, root, range(0n, 8)), 0],
    ['a name', request(opcode.lookup, root, Buffer.from('d\0')), 128],
    ['a name without its end', request(opcode.lookup, root, Buffer.from('d')), 128],
    ['a name in a file', request(opcode.lookup, file, Buffer.from('d\0')), 'errno 2'],
    ['a message that was cut', request(opcode.read, file, range(0n, 1)).subarray(0, 50), 'no request'],
    ['a header that was cut', Buffer.alloc(39), 'no request'],
  ])('%s', async (_, message, expected) => {
    expect(await answered(message)).toBe(expected);
  });

  test('whatever bytes come, they have an answer', async () => {
    await withSeeds(2000, async (random) => {
      const message = request(
        random.integer(0, 60),
        random.integer(0, 5),
        random.bytes(random.integer(0, 60)),
      );
      expect(await answered(message)).toBeDefined();
    });
  });

  test('a kernel with another protocol is refused', () => {
    const init = (major: number, minor: number) => {
      const body = Buffer.alloc(64);
      for (const [index, value] of [major, minor, 131_072, 0xffffffff].entries())
        body.writeUInt32LE(value, 4 * index);
      return initReply(request(opcode.init, 0, body));
    };
    expect(init(7, 27)).toBeNull();
    expect(init(8, 0)).toBeNull();
    expect(initReply(request(opcode.init, 0))).toBeNull();
    const reply = init(7, 45);
    expect([reply?.length, reply?.readUInt32LE(4), reply?.readUInt16LE(28)]).toEqual([64, 31, 256]);
  });
});
