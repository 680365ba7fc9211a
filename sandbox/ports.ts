import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range that the kernel hands out by itself, so that no client takes them in between. */
const first = 20_000;
const last = 32_000;

/** `count` TCP ports on loopback that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempts = 0; ports.size < count; attempts++) {
    if (attempts > 1000) throw new Error('no free port on loopback');
    const port = randomInt(first, last);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
