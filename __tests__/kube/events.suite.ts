import { describe, expect, test } from '@jest/globals';
import { cutBytes, recordEvent, type BackupEvent } from '../../lib/kube/events.js';
import { eventsPath } from '../../lib/kube/paths.js';
import type { KubeContext } from '../support/kube/context.js';
import { seedClaim } from '../support/kube/objects.js';

const rights = [{ apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] }];
const time = Date.parse('2026-01-02T03:04:05.678Z');

export function eventsSuite(context: KubeContext): void {
  const eventsOn = async (namespace: string, name: string) => {
    const api = await context.connect();
    const query = { fieldSelector: `involvedObject.name=${name}` };
    return api.list(eventsPath(namespace), { query });
  };

  describe('events', () => {
    test('an event appears on the claim, once, however often it is written', async () => {
      const { uid } = await seedClaim(context.kube, 'events', 'told');
      const api = await context.connectAs('teller', rights);
      const claim = { namespace: 'events', name: 'told', uid };
      const event: BackupEvent = {
        claim,
        reason: 'BackupSucceeded',
        message: 'Backed up',
        runId: '00000001',
        time,
      };
      await expect(recordEvent(api, event)).resolves.toBeNull();
      await expect(recordEvent(api, event)).resolves.toBeNull();
      await expect(
        recordEvent(api, { ...event, reason: 'BackupFailed', runId: '00000002' }),
      ).resolves.toBeNull();
      const events = await eventsOn('events', 'told');
      const common = {
        kind: 'Event',
        involvedObject: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          namespace: 'events',
          name: 'told',
          uid,
        },
        message: 'Backed up',
        source: { component: 'cephbackup' },
        reportingComponent: 'cephbackup',
        firstTimestamp: '2026-01-02T03:04:05Z',
        lastTimestamp: '2026-01-02T03:04:05Z',
        count: 1,
      };
      expect(events).toHaveLength(2);
      expect(events).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ ...common, type: 'Normal', reason: 'BackupSucceeded' }),
          expect.objectContaining({ ...common, type: 'Warning', reason: 'BackupFailed' }),
        ]),
      );
    });

    test('a long message and a long name are cut to what the API takes', async () => {
      const name = `${'n'.repeat(198)}.-${'x'.repeat(40)}`.replace('.-', '-a');
      const { uid } = await seedClaim(context.kube, 'events', name.slice(0, 240));
      const api = await context.connect();
      const message = `${'ü'.repeat(600)}\n\u001b[31m`;
      const claim = { namespace: 'events', name: name.slice(0, 240), uid };
      await expect(
        recordEvent(api, { claim, reason: 'BackupFailed', message, runId: '00000003', time }),
      ).resolves.toBeNull();
      const [event] = (await eventsOn('events', claim.name)) as { message?: string }[];
      expect(event?.message).toBe(`${'ü'.repeat(510)}…`);
    });

    test('an event that cannot be written is a warning', async () => {
      const api = await context.connectAs('silent', []);
      const claim = { namespace: 'events', name: 'untold', uid: 'some-uid' };
      const warning = await recordEvent(api, {
        claim,
        reason: 'BackupSucceeded',
        message: 'Backed up',
        runId: '00000004',
        time,
      });
      expect(warning).toMatch(
        /^no event on events\/untold: not allowed to create events in namespace events: /,
      );
      const admin = await context.connect();
      const elsewhere = { ...claim, namespace: 'no-such-namespace' };
      await expect(
        recordEvent(admin, {
          claim: elsewhere,
          reason: 'BackupFailed',
          message: '',
          runId: '00000005',
          time,
        }),
      ).resolves.toMatch(/404/);
    });
  });

  describe('cutting a message', () => {
    test.each([
      ['short enough', 'abc', 3, 'abc'],
      ['one byte too many', 'abcdef', 5, 'ab…'],
      ['within a character of two bytes', 'aüüü', 6, 'aü…'],
      ['within a character of four bytes', 'a😀😀', 8, 'a😀…'],
      ['just before a character', 'ab😀😀', 9, 'ab😀…'],
    ])('%s', (_name, text, limit, expected) => {
      expect(cutBytes(text, limit)).toBe(expected);
      expect(Buffer.byteLength(cutBytes(text, limit))).toBeLessThanOrEqual(limit);
    });
  });
}
