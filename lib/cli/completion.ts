import type { Command } from '../commands/context.js';
import { bashCompletion } from './completion/bash.js';
import { fishCompletion } from './completion/fish.js';
import { commandWords, type CommandWords } from './completion/words.js';
import { zshCompletion } from './completion/zsh.js';

const shells: Record<string, (commands: readonly CommandWords[]) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Prints a script that teaches a shell the words of this program. */
export const completion: Command<unknown> = ({ operands: [shell = ''] }) => {
  const script = shells[shell]?.(commandWords()) ?? '';
  return Promise.resolve({ document: { shell, script }, table: script, exitCode: 0 });
};
