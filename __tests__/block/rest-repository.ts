import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** A restic repository in memory, behind restic's REST protocol (its "REST Backend" page), that can stop taking uploads. */
export interface RestRepository {
  /** For RESTIC_REPOSITORY. */
  url: string;
  /** Uploads of more bytes than this are not taken, nor refused, until it is null again. */
  largestUpload: number | null;
  /** Names of the files in a folder: `/snapshots/`. */
  stored(folder: string): string[];
  close(): Promise<void>;
}

export async function startRestRepository(): Promise<RestRepository> {
  const files = new Map<string, Buffer>();
  const repository: RestRepository = {
    url: '',
    largestUpload: null,
    stored: (folder) => [...files.keys()].filter((name) => name.startsWith(folder)),
    close: () => Promise.resolve(),
  };
  const server = createServer((request, response) => {
    answer(files, repository, request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  repository.url = `rest:http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  repository.close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return repository;
}

async function answer(
  files: Map<string, Buffer>,
  repository: RestRepository,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const end = (status: number, body: Buffer | string = '', headers: Record<string, string | number> = {}) => {
    response.writeHead(status, headers).end(body);
  };
  if (request.method === 'POST') {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    while (repository.largestUpload !== null && body.length > repository.largestUpload) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (request.socket.destroyed) return;
    }
    if (!pathname.endsWith('/')) files.set(pathname, body);
    end(200);
    return;
  }
  if (request.method === 'DELETE') {
    end(files.delete(pathname) ? 200 : 404);
    return;
  }
  if (pathname.endsWith('/')) {
    const found = [...files].filter(([name]) => name.startsWith(pathname) && pathname !== '/');
    const list = found.map(([name, { length }]) => ({ name: name.slice(pathname.length), size: length }));
    end(200, JSON.stringify(list), { 'content-type': 'application/vnd.x.restic.rest.v2' });
    return;
  }
  const file = files.get(pathname);
  if (file === undefined) {
    end(404);
    return;
  }
  if (request.method === 'HEAD') {
    end(200, '', { 'content-length': file.length });
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (range === null) {
    end(200, file);
    return;
  }
  const last = range[2] === '' || range[2] === undefined ? file.length - 1 : Number(range[2]);
  end(206, file.subarray(Number(range[1]), last + 1));
}
