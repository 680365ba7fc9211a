import { setMaxListeners } from 'node:events';
import type * as Library from '@kubernetes/client-node';
import type { WebSocket } from 'ws';
import { printable } from '../../log/logger.js';
import type { CredentialSource } from '../credentials.js';
import { statusError } from '../errors.js';
import { parseRetryAfter, reachedNobody } from '../retry.js';
import { BoundedOutput } from './bounded-output.js';
import type { PodCommand, PodCommandEnd } from './exec.js';
import { openSocket } from './socket.js';
import { parseExit } from './status.js';

export interface AttemptTools {
  library: typeof Library;
  server: string;
  credentials: CredentialSource;
}

type Connect = NonNullable<ConstructorParameters<typeof Library.Exec>[1]>['connect'];

const longestHandshakeMs = 20_000;

/** One command, sent at most once. It settles when the first of exit code, refusal, loss, time-out and abort comes. */
export class ExecAttempt {
  readonly #output = new BoundedOutput();
  #socket: WebSocket | null = null;
  #opened = false;
  #settle: (end: PodCommandEnd) => void = () => undefined;
  #settled = false;

  constructor(
    private readonly tools: AttemptTools,
    private readonly command: PodCommand,
  ) {}

  run(): Promise<PodCommandEnd> {
    const { signal, timeoutMs } = this.command;
    // Any number of commands may wait on one signal.
    setMaxListeners(0, signal);
    return new Promise((resolve) => {
      const onAbort = () => {
        this.#lost('it was stopped');
      };
      const timer = setTimeout(() => {
        this.#lost(`it had not ended after ${timeoutMs / 1000} s`);
      }, timeoutMs);
      this.#settle = (end) => {
        if (this.#settled) return;
        this.#settled = true;
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#socket?.terminate();
        resolve(end);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else this.#begin();
    });
  }

  #begin(): void {
    const { namespace, pod, container, argv } = this.command;
    const { Exec } = this.tools.library;
    const streams = [this.#output.stream(), this.#output.stream()] as const;
    // The rule takes the type of a WebSocket, which the library declares by another package, for another class.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    const connect: Connect = (path, _, onMessage) => this.#connect(path, onMessage);
    // The configuration is for the connection alone, which is made here.
    new Exec(undefined as unknown as Library.KubeConfig, { connect })
      .exec(
        encodeURIComponent(namespace),
        encodeURIComponent(pod),
        container,
        [...argv],
        ...streams,
        null,
        false,
        (status) => {
          this.#ended(status);
        },
      )
      .catch((thrown: unknown) => {
        this.#lost(thrown instanceof Error ? printable(thrown.message) : 'no connection');
      });
  }

  async #connect(
    path: string,
    onMessage: ((channel: number, data: Buffer) => boolean) | null,
  ): Promise<WebSocket> {
    const { server, credentials } = this.tools;
    const given = await credentials.get();
    if (this.#settled) throw new Error('stopped');
    return new Promise((resolve) => {
      const socket = openSocket({
        ...given,
        url: `${server.replace(/\/+$/, '').replace(/^http/, 'ws')}${path}`,
        handshakeTimeoutMs: Math.min(this.command.timeoutMs, longestHandshakeMs),
        onOpen: () => {
          this.#opened = true;
          resolve(socket);
        },
        onMessage: onMessage ?? (() => true),
        onRefused: (status, headers, body) => {
          this.#refused(status, parseRetryAfter(headers['retry-after'], headers.date), body);
        },
        onEnd: (error) => {
          this.#disconnected(error);
        },
      });
      this.#socket = socket;
    });
  }

  #ended(status: unknown): void {
    const exit = parseExit(status);
    if (exit.type === 'failed') this.#lost(`it could not be run: ${exit.message}`);
    else this.#end({ exitCode: exit.code, message: `it ended with exit code ${exit.code}` });
  }

  #refused(status: number, retryAfter: number | null, body: string): void {
    if (status === 401) this.tools.credentials.refused();
    this.#end({
      message: statusError(`run a command in pod ${this.command.pod}`, status, body).message,
      // What a gateway answers for somebody else does not say what that one did.
      mayHaveRun: status >= 500,
      failure: { kind: 'status', status, retryAfter: retryAfter },
    });
  }

  #disconnected(error: NodeJS.ErrnoException | null): void {
    const why = printable(error?.message ?? 'without an exit code');
    if (this.#opened) {
      this.#lost(`the connection ended: ${why}`);
      return;
    }
    const code = error?.code ?? 'UNKNOWN';
    this.#end({
      message: `no connection: ${why}`,
      mayHaveRun: !reachedNobody(code),
      failure: { kind: 'network', code },
    });
  }

  /** Nothing is known but whether it was sent. */
  #lost(message: string): void {
    this.#end({ message, mayHaveRun: this.#socket !== null });
  }

  #end(end: Partial<PodCommandEnd> & { message: string }): void {
    this.#settle({ exitCode: null, mayHaveRun: true, failure: null, output: this.#output, ...end });
  }
}
