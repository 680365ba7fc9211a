import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A client of a database that stays connected: one line is asked, one line is answered. */
export class Client {
  readonly #child;
  readonly #waiting: { resolve: (line: string) => void; reject: (reason: Error) => void }[] = [];
  #said = '';

  constructor([program = '', ...args]: readonly string[]) {
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    createInterface(this.#child.stdout).on('line', (line) => {
      if (line.trim() !== '') this.#waiting.shift()?.resolve(line.trim());
    });
    this.#child.stderr.on('data', (data: Buffer) => (this.#said += data.toString()));
    this.#child.stdin.on('error', () => undefined);
    this.#child.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${program} ended: ${this.#said}`));
    });
  }

  /** @returns the next line that is not empty */
  ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${line}\n`);
    });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}
