import { checks } from '../doctor/checks.js';
import { examine } from '../doctor/examine.js';
import { Setup, type DoctorValues } from '../doctor/setup.js';
import { doctorTable } from '../report/doctor-table.js';
import { startDaemon } from '../tools/daemon.js';
import { childEnvironment } from '../tools/environment.js';
import { cephClients } from './ceph.js';
import { policyOf } from './cluster.js';
import type { Command } from './context.js';
import { cephfsClientOf, neededPrograms } from './drivers.js';
import { resticOf } from './repository.js';

/** Looks at everything that `run` needs, and says how to mend what is missing. Takes no lease, writes nothing. */
export const doctor: Command<DoctorValues> = async (context) => {
  const { options, env, exec, hostname, log, signal, clock } = context;
  const setup = new Setup({
    options,
    env,
    policy: policyOf(options, env),
    exec,
    startDaemon,
    childEnv: childEnvironment(env),
    restic: resticOf(context),
    clientsFor: cephClients(context),
    cephfsClient: cephfsClientOf(context),
    programsFor: (kinds) => neededPrograms(options, kinds),
    hostname,
    log,
    signal,
    clock,
  });
  const found = await examine(checks, setup, signal);
  const count = (wanted: string) => found.filter(({ status }) => status === wanted).length;
  const report = { checks: found, ok: count('ok'), warnings: count('warning'), failed: count('failed') };
  return { document: report, table: doctorTable(report), exitCode: report.failed > 0 ? 1 : 0 };
};
