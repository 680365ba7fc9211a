/** What is said to the agent of a virtual machine, one JSON document a line: first a process, then its signals. */
export type Request =
  | { program: string; args: string[]; env: Record<string, string>; input: string }
  | { signal: NodeJS.Signals };

/** What the agent says: that it listens, then output (base64), then how the process ended. */
export type Reply =
  | { ready: true }
  | { stdout: string }
  | { stderr: string }
  | { code: number | null; by: NodeJS.Signals | null };

/** Where the machine's agent listens (sandbox/vm/node.sh). */
export const agentAddress = { host: '198.18.0.2', port: 7777 };
