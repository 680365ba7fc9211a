import { spawn, type ChildProcess } from 'node:child_process';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { KubeObject } from '../../../lib/kube/types.js';
import { typeOfKind } from '../resources.js';
import type { Fault } from './faults.js';
import type { ServerParts } from './server.js';
import { reasonOf } from './faults.js';
import { StatusError } from './status.js';

/** The annotation of a pod whose commands run in this folder of the machine. */
export const folderAnnotation = 'sandbox/folder';
/** The annotation of a pod whose commands run elsewhere: argv that brings them there, as JSON. */
export const enterAnnotation = 'sandbox/enter';

interface Pod extends KubeObject {
  spec?: { containers?: { name?: string }[] };
  status?: { phase?: string };
}

const pathPattern = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/;
const channel = { stdout: 1, stderr: 2, status: 3 };

/** `pods/exec` over a WebSocket: a command of a pod is a process of this machine. @returns what ends all connections */
export function serveExec(server: Server, parts: ServerParts): () => void {
  const open = new Set<Socket>();
  const running = new Set<ChildProcess>();
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('v5.channel.k8s.io') ? 'v5.channel.k8s.io' : false),
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    const url = new URL(request.url ?? '/', 'http://stand-in');
    admit(parts, request, url).then(
      ({ pod, fault }) => {
        if (fault?.mode === 'timeout') return;
        if (fault?.mode === 'reset') {
          socket.resetAndDestroy();
          return;
        }
        sockets.handleUpgrade(request, socket, head, (client) => {
          if (fault?.mode === 'reset-when-open') {
            socket.resetAndDestroy();
            return;
          }
          const child = runCommand(client, socket, pod, url, fault);
          running.add(child);
          child.on('close', () => running.delete(child));
        });
      },
      (thrown: unknown) => {
        const error =
          thrown instanceof StatusError ? thrown : new StatusError(500, 'InternalError', String(thrown));
        const body = JSON.stringify(error.body());
        const headers = Object.entries({ 'Content-Type': 'application/json', ...error.headers });
        const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        socket.end(
          `HTTP/1.1 ${error.code} ${error.reason}\r\n${lines}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
        );
      },
    );
  });
  return () => {
    for (const socket of open) socket.destroy();
    for (const child of running) child.kill('SIGKILL');
  };
}

/** @throws StatusError */
async function admit(
  { access, faults, store }: ServerParts,
  request: IncomingMessage,
  url: URL,
): Promise<{ pod: Pod; fault: Fault | undefined }> {
  const [, namespace = '', name = ''] = pathPattern.exec(url.pathname) ?? [];
  const account = access.authenticate(request.headers.authorization);
  const seen = {
    user: account.user,
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    verb: 'get',
    resource: 'pods/exec',
    namespace,
    name,
    body: url.searchParams.getAll('command'),
  };
  const fault = account.observed ? await faults.next(seen) : undefined;
  if (typeof fault?.mode === 'number') {
    const headers = fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) };
    throw new StatusError(fault.mode, reasonOf(fault.mode), `injected: ${fault.mode}`, {}, headers);
  }
  // A WebSocket begins with GET; newer servers want `create` besides.
  for (const verb of ['get', 'create']) access.authorize(account, { ...seen, verb, group: '' });
  const pod = store.get(typeOfKind('Pod'), namespace, name) as Pod;
  const container = url.searchParams.get('container') ?? '';
  const known = pod.spec?.containers?.some((one) => one.name === container) ?? false;
  if (!known) throw new StatusError(400, 'BadRequest', `container ${container} is not valid for pod ${name}`);
  if (pod.status?.phase !== 'Running')
    throw new StatusError(500, 'InternalError', `pod ${name} is not running`);
  return { pod, fault };
}

function runCommand(
  client: WebSocket,
  socket: Socket,
  pod: Pod,
  url: URL,
  fault: Fault | undefined,
): ChildProcess {
  const enter = JSON.parse(pod.metadata?.annotations?.[enterAnnotation] ?? '[]') as string[];
  const [program = '', ...args] = [...enter, ...url.searchParams.getAll('command')];
  const cwd = pod.metadata?.annotations?.[folderAnnotation] ?? '/';
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const send = (number: number, data: Buffer) => {
    if (fault?.mode !== 'truncated') {
      if (client.readyState === client.OPEN) client.send(Buffer.concat([Buffer.of(number), data]));
      return;
    }
    // The head of a message that announces more than comes.
    socket.write(Buffer.of(0x82, 100, number), () => socket.resetAndDestroy());
  };
  child.stdout.on('data', (data: Buffer) => {
    send(channel.stdout, data);
  });
  child.stderr.on('data', (data: Buffer) => {
    send(channel.stderr, data);
  });
  let failed: string | null = null;
  child.on('error', (error) => {
    failed = error.message;
  });
  child.on('close', (code) => {
    if (fault?.mode === 'timeout-after-commit') return;
    if (fault?.mode === 'closed') client.close();
    else if (fault?.mode === 'reset-after-commit') socket.resetAndDestroy();
    else if (fault?.mode === 'garbage') send(channel.status, Buffer.from('<html>proxy</html>'));
    else send(channel.status, Buffer.from(JSON.stringify(endOf(code, failed))));
    client.close();
  });
  return child;
}

function endOf(code: number | null, failed: string | null): unknown {
  if (failed !== null) return { status: 'Failure', reason: 'InternalError', message: failed, code: 500 };
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${String(code)}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code ?? 137) }] },
  };
}
