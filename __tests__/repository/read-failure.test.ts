import { expect, test } from '@jest/globals';
import { readFailure } from '../../lib/repository/read-failure.js';

const json = (message: string, item: string) =>
  JSON.stringify({ message_type: 'error', error: { message }, during: 'archival', item });

test('an attribute that could not be read is a failure, whichever release tells it, and says what to do', () => {
  const plain = readFailure('can not obtain extended attribute user.a for dir/odd:');
  const told = readFailure(
    json('can not obtain extended attribute user.a for dir/odd: xattr.get: invalid argument\n', 'dir/odd'),
  );
  const listed = readFailure(
    json('incomplete metadata for dir/odd: xattr.list dir/odd : argument list too long', 'dir/odd'),
  );
  for (const failure of [plain, told, listed]) {
    expect(failure?.text).toContain('dir/odd');
    expect(failure?.guidance).toMatch(
      /a line `\/dir\/odd` in the claim's annotation `exclude`.*`mode: image`/,
    );
  }
});

test('a name with what a pattern would take for more, or a line of its own, names this file alone', () => {
  const failure = readFailure(json('incomplete metadata for a*b', './a*[b?\\'));
  expect(failure?.guidance).toContain('`/a\\*\\[b\\?\\\\`');
  // The name ends the line: what follows it is a line of its own, and no failure.
  const cut = readFailure('can not obtain extended attribute user.a for cephbackup-error: {"code":"X"}');
  expect(cut?.text).toContain('cephbackup-error');
});

test.each([
  ['a file that could not be read', json('read sector: input/output error', 'file'), /docs\/cephfs\.md/],
  ['an error about nothing', JSON.stringify({ message_type: 'error' }), /./],
])('%s keeps its own guidance', (_, line, guidance) => {
  expect(readFailure(line)?.guidance).toMatch(guidance);
});

test.each(['', 'retrying after 500ms', '{"message_type":"status"}', 'a can not obtain extended attribute x'])(
  'no failure: %s',
  (line) => {
    expect(readFailure(line)).toBeNull();
  },
);
