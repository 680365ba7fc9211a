import { expect, test } from '@jest/globals';
import { verifiedOn } from '../../lib/plan/attempt.js';
import { groupByClaim, type Backup } from '../../lib/repository/claims.js';
import { byAgeOfProof, candidate } from '../../lib/verify/rotation.js';

const day = 86_400_000;
const prefix = 'p';
const backup = (uid: string, time: number): Backup => ({
  id: `${uid} ${time}`,
  time,
  cluster: 'c',
  namespace: 'n',
  pvc: uid,
  uid,
  pv: null,
  kind: 'cephfs',
  sizeBytes: 1,
  proof: 'proven',
});

// Retention may be shorter than the rotation: whatever it has removed, each claim has its turn.
test.each([1, 7, 365])('every claim is verified in turn where %i backups are kept', (kept) => {
  const uids = Array.from({ length: 30 }, (_, index) => `u${String(index).padStart(2, '0')}`);
  const marks = new Map<string, Record<string, string>>();
  const turns = new Map(uids.map((uid) => [uid, 0]));
  for (let now = 400; now < 520; now += 1) {
    const backups = uids.flatMap((uid) =>
      Array.from({ length: kept }, (_, age) => backup(uid, (now - age) * day)),
    );
    const candidates = groupByClaim(backups).flatMap((claim) => {
      const lastVerified = verifiedOn(marks.get(claim.uid) ?? {}, prefix, claim.uid);
      return candidate(claim, { pv: 'v', lastVerified, markedSnapshot: null }) ?? [];
    });
    for (const { claim } of byAgeOfProof(candidates).slice(0, 3)) {
      marks.set(claim.uid, {
        'p/last-verified': new Date(now * day).toISOString(),
        'p/last-verified-claim': claim.uid,
      });
      turns.set(claim.uid, (turns.get(claim.uid) ?? 0) + 1);
    }
  }
  expect(new Set(turns.values())).toEqual(new Set([12]));
});

test('a proof is of the claim that it was made for', () => {
  const verified = { 'p/last-verified': '2026-01-01T00:00:00Z' };
  const time = Date.parse('2026-01-01T00:00:00Z');
  const of = (annotations: Record<string, string>, created?: number) =>
    verifiedOn({ ...verified, ...annotations }, prefix, 'new', created);
  expect(of({ 'p/last-verified-claim': 'new' })).toBe(time);
  // A volume that was kept and bound anew, also after the new claim's first backup.
  expect(of({ 'p/last-verified-claim': 'old', 'p/last-backup-claim': 'new' })).toBeNull();
  // Without a claim beside it: of an older release.
  expect(of({ 'p/last-backup-claim': 'old' })).toBeNull();
  expect(of({ 'p/last-backup-claim': 'new' })).toBe(time);
  expect(of({ 'p/last-backup-claim': 'new' }, time + day)).toBeNull();
});
