import type { Plan } from '../plan/types.js';
import { outcomes, type RunReport, type VolumeResult } from '../run/report.js';
import { claimLabels, gauge, mostClaims, seconds, single, type Family } from './family.js';

const uncovered = new Set(['unsupported', 'host-collision']);

/** What a run says of itself and of each volume, also of those that `--min-age` left out this time. */
export function runMetrics(report: RunReport, plan: Plan): Family[] {
  const results = new Map(report.volumes.map((volume) => [volume.uid, volume]));
  const all = plan.volumes.filter(({ backup, reason }) => backup || reason === 'recent');
  const shown = all.slice(0, mostClaims);
  const volumes = shown.flatMap(({ uid }) => results.get(uid) ?? []);
  const each = (value: (volume: VolumeResult) => number) =>
    volumes.map((volume) => ({ labels: claimLabels(volume), value: value(volume) }));
  const count = (wanted: VolumeResult['outcome']) =>
    report.volumes.filter(({ outcome }) => outcome === wanted).length;
  return [
    gauge(
      'cephbackup_run_volumes',
      'Volumes of the last run by outcome.',
      outcomes.map((outcome) => ({
        labels: { outcome },
        value: count(outcome),
      })),
    ),
    single(
      'cephbackup_run_volumes_uncovered',
      'Claims that are to be backed up and cannot be.',
      plan.volumes.filter(({ backup, reason }) => backup && uncovered.has(reason)).length,
    ),
    single('cephbackup_run_leftovers', 'What the last run left behind.', report.leftovers.length),
    single(
      'cephbackup_run_volumes_hidden',
      'Volumes without metrics of their own.',
      all.length - shown.length,
    ),
    gauge(
      'cephbackup_last_success_timestamp_seconds',
      'Point in time of the newest backup; 0: never.',
      shown.map((volume) => ({
        labels: claimLabels(volume),
        value: seconds(results.get(volume.uid)?.time ?? volume.lastBackup),
      })),
    ),
    gauge(
      'cephbackup_volume_failed',
      'Whether a volume has no backup from the last run (1) or has one (0).',
      each(({ outcome }) => (outcome === 'failed' || outcome === 'not-attempted' ? 1 : 0)),
    ),
    gauge(
      'cephbackup_volume_outcome',
      'How the last run ended for a volume; 1 for the outcome that is named.',
      volumes.map((volume) => ({ labels: { ...claimLabels(volume), outcome: volume.outcome }, value: 1 })),
    ),
    gauge(
      'cephbackup_volume_duration_seconds',
      'How long the last backup of a volume took, from the snapshot to the end of unwinding.',
      each((volume) => volume.seconds),
    ),
    gauge(
      'cephbackup_volume_held_seconds',
      'How long applications were held for the last snapshot of a volume; only where they were.',
      volumes
        .filter(({ heldSeconds }) => heldSeconds !== null)
        .map((volume) => ({ labels: claimLabels(volume), value: volume.heldSeconds ?? 0 })),
    ),
    gauge(
      'cephbackup_volume_read_bytes',
      'Bytes of a volume that the last backup gave to restic.',
      each(({ bytesRead }) => bytesRead),
    ),
    gauge(
      'cephbackup_volume_added_bytes',
      'Bytes that the last backup of a volume added to the repository.',
      each(({ bytesAdded }) => bytesAdded),
    ),
  ];
}
