import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { statePath } from './checkout.js';
import { startTime } from './owner.js';

/** What the sandbox's keeper tells about itself. */
export interface SandboxState {
  pid: number;
  /** See `startTime`. */
  started: string;
  /** Null while it is starting. */
  ready: { env: Record<string, string>; summary: string[] } | null;
}

mkdirSync(statePath(), { recursive: true });
export const stateFile = path.join(statePath(), 'sandbox.json');
export const keeperLog = path.join(statePath(), 'sandbox.log');

/** The sandbox of this checkout, if it is up or starting. What a keeper that was killed has left is removed. */
export function sandboxState(): SandboxState | null {
  if (!existsSync(stateFile)) return null;
  const state = parse(readFileSync(stateFile, 'utf8'));
  if (state === null) return null;
  if (isAlive(state)) return state;
  rmSync(stateFile, { force: true });
  return null;
}

export function isAlive({ pid, started }: SandboxState): boolean {
  return startTime(String(pid)) === started;
}

/** Null while it is being written. */
function parse(text: string): SandboxState | null {
  try {
    return JSON.parse(text) as SandboxState;
  } catch {
    return null;
  }
}
