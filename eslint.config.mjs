import { readFileSync } from 'node:fs';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** The floors of the house as docs/architecture.md draws them, from the ground up. */
const [, drawing] = /```floors\n([\s\S]*?)```/.exec(readFileSync('docs/architecture.md', 'utf8'));
const floors = drawing
  .trim()
  .split('\n')
  .map((line) => line.split('│')[0].trim().split(/\s+/))
  .toReversed();

/** A file imports from its own room and from floors below, never from a room beside it or above (docs/architecture.md). */
const oneWayDown = floors.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const closed = floors
      .slice(floor)
      .flat()
      .filter((other) => other !== room);
    return {
      files: [`lib/${room}/**/*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                regex: `^(\\.\\./)+(${[...closed, 'no-room'].join('|')})/`,
                message: `lib/${room} imports from lower floors only (docs/architecture.md)`,
              },
            ],
          },
        ],
      },
    };
  }),
);

export default defineConfig(
  { ignores: ['dist', 'node_modules', '.cache', 'coverage'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['*.mjs'] } } },
    rules: {
      // Numbers and booleans in messages are what they look like.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  ...oneWayDown,
  { files: ['*.mjs'], ...tseslint.configs.disableTypeChecked },
);
