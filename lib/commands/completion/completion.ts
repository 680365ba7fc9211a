import type { Command, CommandDefinition } from '../../cli/command.js';
import { bashCompletion } from './bash.js';
import { fishCompletion } from './fish.js';
import { commandWords, type CommandWords } from './words.js';
import { zshCompletion } from './zsh.js';

const shells: Record<string, (commands: readonly CommandWords[]) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Prints a script that teaches a shell the words of this program. */
export const completion =
  (commands: readonly CommandDefinition[]): Command<unknown> =>
  ({ operands: [shell = ''] }) => {
    const script = shells[shell]?.(commandWords(commands)) ?? '';
    return Promise.resolve({ document: { shell, script }, table: script, exitCode: 0 });
  };
