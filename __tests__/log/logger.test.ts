import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { createLogger, type LogOptions } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';

function logger(format: LogOptions['format']) {
  const stream = new PassThrough();
  const redactor = new Redactor();
  redactor.add('sesame-open-4711');
  const { log, flush } = createLogger({ level: 'info', format, redactor, stream });
  const printed = () => String(stream.read() ?? '');
  return { log, flush, printed };
}

test('what is logged before the printer is loaded is printed in order, with the time at which it was logged', async () => {
  const { log, flush, printed } = logger('json');
  const before = Date.now();
  log.info('first', { secret: 'sesame-open-4711' });
  log.debug('below the level');
  log.with({ volume: 'shop/database' }).warn('second');
  const after = Date.now();
  await sleep(20);
  await flush();
  log.error('third', { code: 'INTERNAL' });
  const lines = printed()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ['info', 'first'],
    ['warn', 'second'],
    ['error', 'third'],
  ]);
  expect(JSON.stringify(lines)).not.toContain('sesame');
  expect(lines[1]).toMatchObject({ volume: 'shop/database' });
  for (const { timestamp } of lines.slice(0, 2)) {
    expect(Date.parse(timestamp ?? '')).toBeGreaterThanOrEqual(before);
    expect(Date.parse(timestamp ?? '')).toBeLessThanOrEqual(after);
  }
});

test('a message is one line, whatever bytes a tenant put into it', async () => {
  for (const format of ['json', 'text'] as const) {
    const { log, flush, printed } = logger(format);
    log.warn('name\nwith \u001b[31m', { file: 'a\nb\u009b' });
    await flush();
    const line = printed();
    expect(line.split('\n')).toHaveLength(2);
    expect(line).not.toContain('\u001b');
  }
});

test('nothing is loaded where nothing is logged', async () => {
  const { log, flush, printed } = logger('text');
  log.debug('below the level');
  await flush();
  expect(printed()).toBe('');
});
