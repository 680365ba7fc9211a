import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { atEnd } from './temporary.js';

/** One thing that restic does to the repository. */
export interface RestCall {
  method: string;
  /** `config`, `data`, `index`, `keys`, `locks` or `snapshots`. */
  type: string;
}

/**
 * A local restic repository, served as restic's REST protocol has it [restic doc/REST_backend.rst]: so that a test can
 * act at each single thing that restic does to the repository, or forbid it.
 */
export class RestServer {
  /** Called, and waited for, after each call was carried out, before it is answered. */
  onCall: (call: RestCall) => void | Promise<void> = () => undefined;
  /** Called when a call was answered. */
  onAnswered: (call: RestCall) => void = () => undefined;
  /** As an append-only server: nothing is deleted but locks. */
  appendOnly = false;
  /** As a bucket whose credentials may not delete: not even locks. */
  keepsLocks = false;
  readonly #server = http.createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });

  private constructor(private readonly folder: string) {}

  /** @param folder of the repository, as a local one */
  static async start(folder: string): Promise<RestServer> {
    const server = new RestServer(folder);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    atEnd(() => {
      server.#server.closeAllConnections();
      return new Promise((resolve) => server.#server.close(resolve));
    });
    return server;
  }

  /** For RESTIC_REPOSITORY. */
  get repository(): string {
    return `rest:http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = '' } = request;
    const [type = '', name = ''] = new URL(request.url ?? '/', 'http://x').pathname
      .split('/')
      .filter(Boolean);
    const body = await buffer(request);
    const forbidden = type === 'locks' ? this.keepsLocks : this.appendOnly || this.keepsLocks;
    if (method === 'DELETE' && forbidden) {
      response.writeHead(403).end();
      return;
    }
    if (name === '' && type !== 'config') {
      await this.#list(type, response);
      return;
    }
    const file = this.#file(type, name);
    if (method === 'POST') {
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(`${file}.tmp`, body);
      await rename(`${file}.tmp`, file);
    } else if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    } else if (method === 'DELETE') await rm(file);
    await this.onCall({ method, type });
    response.once('finish', () => {
      this.onAnswered({ method, type });
    });
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(200).end();
      return;
    }
    const { size } = await stat(file);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const last = range?.[2] ?? '';
    const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
    response.writeHead(range === null ? 200 : 206, { 'Content-Length': end - start + 1 });
    if (method === 'HEAD') response.end();
    else createReadStream(file, { start, end }).pipe(response);
  }

  async #list(type: string, response: http.ServerResponse): Promise<void> {
    const names = await readdir(path.join(this.folder, type), { recursive: true }).catch(() => []);
    const files = await Promise.all(
      names.map(async (name) => {
        const found = await stat(path.join(this.folder, type, name)).catch(() => null);
        return found?.isFile() === true ? [{ name: path.basename(name), size: found.size }] : [];
      }),
    );
    response.writeHead(200, { 'Content-Type': 'application/vnd.x.restic.rest.v2' });
    response.end(JSON.stringify(files.flat()));
  }

  #file(type: string, name: string): string {
    const parts = type === 'data' ? [name.slice(0, 2), name] : [name];
    return path.join(this.folder, type, ...parts);
  }
}
