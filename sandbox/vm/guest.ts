import net from 'node:net';
import readline from 'node:readline';
import { agentAddress, type Reply, type Request } from './protocol.js';

/** A virtual machine is up to so much slower than what limits of time are made for. */
const slowness = 5;

export interface GuestProcess {
  /** 0 in a virtual machine. */
  pid: number;
  kill(signal: NodeJS.Signals): void;
  onOutput(stream: 'stdout' | 'stderr', listener: (text: string) => void): void;
  /** @throws Error where the machine is gone. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface GuestResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Whether the program runs in a virtual machine. */
export function hasGuest(): boolean {
  return process.env.SANDBOX_GUEST !== undefined;
}

/** A limit of time, for where the program runs. */
export function patience(milliseconds: number): number {
  return hasGuest() ? slowness * milliseconds : milliseconds;
}

/** Starts a program in the virtual machine. It dies with this process, and with the connection. */
export function startInGuest(
  program: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
): GuestProcess {
  const socket = net.connect(agentAddress);
  // A machine that is gone says nothing any more.
  socket.setKeepAlive(true, 2000);
  const listeners: Record<'stdout' | 'stderr', ((text: string) => void)[]> = { stdout: [], stderr: [] };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const say = (request: Request) => socket.write(`${JSON.stringify(request)}\n`);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    const hear = (reply: Reply) => {
      if ('ready' in reply) {
        say({ program, args: [...args], env, input: Buffer.from(input).toString('base64') });
      } else if ('code' in reply) {
        resolve({ code: reply.code, signal: reply.by });
      } else {
        const [stream, data] =
          'stdout' in reply ? (['stdout', reply.stdout] as const) : (['stderr', reply.stderr] as const);
        const text = decoders[stream].decode(Buffer.from(data, 'base64'), { stream: true });
        for (const listener of listeners[stream]) listener(text);
      }
    };
    const lines = readline.createInterface({ input: socket });
    lines.on('line', (line) => {
      hear(JSON.parse(line) as Reply);
    });
    // It repeats the socket's.
    lines.on('error', () => undefined);
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error('the virtual machine does not answer'));
    });
  });
  ended.catch(() => undefined);
  return {
    pid: 0,
    kill: (signal) => say({ signal }),
    onOutput: (stream, listener) => listeners[stream].push(listener),
    ended,
  };
}

/** Runs a program in the virtual machine to its end. */
export async function attemptInGuest(
  program: string,
  args: readonly string[],
  options: { env?: Record<string, string>; input?: string; timeout?: number } = {},
): Promise<GuestResult> {
  const { timeout = 120_000 } = options;
  const running = startInGuest(program, args, options);
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    running.onOutput(stream, (text) => (output[stream] += text));
  }
  const timer = setTimeout(() => {
    running.kill('SIGKILL');
  }, timeout);
  try {
    const { code } = await running.ended;
    return { code, ...output };
  } finally {
    clearTimeout(timer);
  }
}

/** @throws Error unless it exits 0. */
export async function runInGuest(
  program: string,
  args: readonly string[],
  options: Parameters<typeof attemptInGuest>[2] = {},
): Promise<string> {
  const { code, stdout, stderr } = await attemptInGuest(program, args, options);
  if (code !== 0) throw new Error(`${[program, ...args].join(' ')}: exit code ${String(code)}\n${stderr}`);
  return stdout;
}

/** Waits until the machine has booted. @throws Error after `limit` milliseconds */
export async function guestReady(limit: number): Promise<void> {
  const end = performance.now() + limit;
  for (;;) {
    const answer = await attemptInGuest('true', []).catch(() => null);
    if (answer !== null) return;
    if (performance.now() > end)
      throw new Error(`the virtual machine does not answer after ${limit / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
