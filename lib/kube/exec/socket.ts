import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';

export interface SocketRequest {
  url: string;
  agent: Agent;
  headers: Record<string, string | string[]>;
  auth?: string;
  handshakeTimeoutMs: number;
  onOpen: () => void;
  /** One message of a channel. False, or throwing, ends the connection. */
  onMessage: (channel: number, data: Buffer) => boolean;
  /** The server answered, and opened no connection. */
  onRefused: (status: number, headers: IncomingHttpHeaders, body: string) => void;
  /** The connection was not made, or ended. Called once at least. */
  onEnd: (error: NodeJS.ErrnoException | null) => void;
}

/** Those in which the last message says how the command ended. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** How much is read of an answer that refuses; a `Status` object has about 300 bytes. */
const bodyLimitBytes = 16 * 1024;
/** The API sends at most 32 KiB in one message. */
const payloadLimitBytes = 4 * 1024 * 1024;

/** A WebSocket of the API's. No message of a server can throw into the event loop. */
export function openSocket(request: SocketRequest): WebSocket {
  const { url, agent, headers, auth, handshakeTimeoutMs } = request;
  const socket = new WebSocket(url, protocols, {
    agent,
    headers: { ...headers, 'User-Agent': 'cephbackup' },
    ...(auth === undefined ? {} : { auth }),
    handshakeTimeout: handshakeTimeoutMs,
    perMessageDeflate: false,
    maxPayload: payloadLimitBytes,
  });
  socket.on('open', request.onOpen);
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary || data.length === 0) return;
    try {
      if (!request.onMessage(data.readUInt8(0), data.subarray(1))) socket.close();
    } catch {
      request.onEnd(new Error('a message makes no sense'));
      socket.terminate();
    }
  });
  socket.on('unexpected-response', (_, response: IncomingMessage) => {
    readBody(response, (body) => {
      request.onRefused(response.statusCode ?? 0, response.headers, body);
    });
  });
  socket.on('error', request.onEnd);
  socket.on('close', () => {
    request.onEnd(null);
  });
  return socket;
}

function readBody(response: IncomingMessage, tell: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = () => {
    tell(Buffer.concat(chunks).toString());
  };
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= bodyLimitBytes) chunks.push(chunk);
    else end();
  });
  response.on('error', end);
  response.on('end', end);
}
