import { define, type CommandDefinition } from '../../cli/command.js';
import { oneOf } from '../../cli/values.js';
import { completionOptions } from './options.js';

/** @param commands all of them, this one included: what can be completed */
export const completionCommand = (commands: () => Promise<readonly CommandDefinition[]>) =>
  define({
    examples: [
      'source <(cephbackup completion bash)',
      'cephbackup completion fish > ~/.config/fish/completions/cephbackup.fish',
    ],
    options: completionOptions,
    operand: {
      name: 'bash|zsh|fish',
      description: 'the shell',
      least: 1,
      most: 1,
      parse: oneOf('bash', 'zsh', 'fish'),
    },
    load: async () => (await import('./completion.js')).completion(await commands()),
  });
