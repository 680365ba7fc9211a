import { spawn } from 'node:child_process';
import net from 'node:net';
import readline from 'node:readline';
import { agentAddress, type Request, type Reply } from './protocol.js';

/**
 * Runs in the virtual machine: each connection is one process, which gets its signals by it, and is killed when the
 * connection ends.
 */
net
  .createServer((socket) => {
    const say = (reply: Reply) => socket.write(`${JSON.stringify(reply)}\n`);
    say({ ready: true });
    const lines = readline.createInterface({ input: socket });
    let send: (signal: NodeJS.Signals) => void = () => undefined;
    socket.on('error', () => undefined);
    // It repeats the socket's.
    lines.on('error', () => undefined);
    socket.on('close', () => {
      send('SIGKILL');
    });
    lines.on('line', (line) => {
      const request = JSON.parse(line) as Request;
      if ('signal' in request) send(request.signal);
      else send = start(request, say, () => socket.end());
    });
  })
  .listen(agentAddress.port);

function start(
  { program, args, env, input }: Extract<Request, { program: string }>,
  say: (reply: Reply) => void,
  done: () => void,
): (signal: NodeJS.Signals) => void {
  const child = spawn(program, args, { env, stdio: 'pipe' });
  child.stdout.on('data', (chunk: Buffer) => {
    say({ stdout: chunk.toString('base64') });
  });
  child.stderr.on('data', (chunk: Buffer) => {
    say({ stderr: chunk.toString('base64') });
  });
  child.stdin.on('error', () => undefined).end(Buffer.from(input, 'base64'));
  child.once('error', ({ message }) => {
    say({ stderr: Buffer.from(message).toString('base64') });
    say({ code: -1, by: null });
    done();
  });
  child.once('close', (code, by) => {
    say({ code, by });
    done();
  });
  return (signal) => child.kill(signal);
}
