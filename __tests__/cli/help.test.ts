import { describe, expect, test } from '@jest/globals';
import { resolveOptions, type RawOptions } from '../../lib/cli/options.js';
import { parseCommandLine } from '../../lib/cli/program.js';
import { allCommands, commands as listedCommands } from '../../lib/commands/index.js';

const commands = await allCommands();

/** What of an example is this program's own: a shell's words around it are not. */
function ownArguments(example: string): string[] {
  const [, line = ''] = /\bcephbackup ([^|>)]*)/.exec(example) ?? [];
  return line.trim().split(' ');
}

describe.each(commands.map((command) => [command.name, command] as const))(
  'the help of %s',
  (name, command) => {
    test('begins with two examples', () => {
      const parsed = parseCommandLine(commands, [name, '--help'], '0');
      const text = parsed.type === 'help' ? parsed.text : '';
      const [beginning = ''] = text.split('\nOptions:');
      for (const example of command.examples) expect(beginning).toContain(`\n  ${example}\n`);
      const plugin = parseCommandLine(commands, [name, '--help'], '0', 'kubectl cephbackup');
      expect(plugin).toMatchObject({ text: expect.stringContaining('kubectl cephbackup ') as unknown });
    });

    test.each(command.examples)('that works: %s', async (example) => {
      const parsed = parseCommandLine(commands, ownArguments(example), '0');
      expect(parsed).toMatchObject({ type: 'command', command: { name }, mistakes: [] });
      const raw: RawOptions = parsed.type === 'command' ? parsed.raw : {};
      const { values, mistakes } = resolveOptions(command.options, raw, {});
      expect([...mistakes, ...(await command.check(values, {}, new Set()))]).toEqual([]);
    });
  },
);

test('the help of the program, for which no command is loaded, is that of all that are', () => {
  const [listed, defined] = [listedCommands, commands].map((all) => parseCommandLine(all, ['--help'], '0'));
  expect(listed).toEqual(defined);
  expect(listed).toMatchObject({ type: 'help' });
});
