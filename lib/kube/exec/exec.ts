import { findConnection } from '../connection.js';
import { CredentialSource } from '../credentials.js';
import type { Failure } from '../retry.js';
import { ExecAttempt } from './attempt.js';
import type { BoundedOutput } from './bounded-output.js';

export interface PodCommand {
  namespace: string;
  pod: string;
  container: string;
  argv: readonly string[];
  /** From asking for it to its exit code. */
  timeoutMs: number;
  signal: AbortSignal;
}

export interface PodCommandEnd {
  /** Null where it is not known. */
  exitCode: number | null;
  /** What became of it, in words of this program and of the API; nothing of what it printed. */
  message: string;
  /** Whether it may have been started. */
  mayHaveRun: boolean;
  /** Why the API did not take it, for `retryDelay`; null where it did. */
  failure: Failure | null;
  output: BoundedOutput;
}

/** Runs a command in a container, without a terminal or input. Never rejects, and always settles. */
export type PodExec = (command: PodCommand) => Promise<PodCommandEnd>;

/**
 * The API's `exec`, by the Kubernetes library over a WebSocket. The library takes 0.7 s to load: that is over when this
 * resolves, so that nothing waits for it while an application is held.
 *
 * @throws CephbackupError KUBECONFIG_INVALID
 */
export async function connectPodExec(kubeconfig: string | null, env: NodeJS.ProcessEnv): Promise<PodExec> {
  const connection = await findConnection(kubeconfig, env);
  const credentials = new CredentialSource(connection);
  const library = await import('@kubernetes/client-node');
  const tools = { library, server: connection.server, credentials };
  return async (command) => {
    const end = await new ExecAttempt(tools, command).run();
    const expired = end.failure?.kind === 'status' && end.failure.status === 401;
    return expired ? new ExecAttempt(tools, command).run() : end;
  };
}
