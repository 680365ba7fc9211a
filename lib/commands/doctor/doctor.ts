import { checks } from './checks/index.js';
import { examine } from './examine.js';
import { Setup, type DoctorValues } from './setup.js';
import { doctorTable } from './table.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { childEnvironment } from '../../tools/process/environment.js';
import { cephClients, cephConnections } from '../shared/ceph.js';
import { policyOf } from '../shared/cluster.js';
import type { Command } from '../../cli/command.js';
import { cephfsClientOf, neededPrograms } from '../shared/drivers.js';
import { resticOf } from '../shared/repository.js';

/** Looks at everything that `run` needs, and says how to mend what is missing. Takes no lease, writes nothing. */
export const doctor: Command<DoctorValues> = async (context) => {
  const { options, env, exec, hostname, log, signal, clock } = context;
  const connectionOf = cephConnections(context);
  const setup = new Setup({
    options,
    env,
    policy: policyOf(options, env),
    exec,
    startDaemon,
    childEnv: childEnvironment(env),
    restic: resticOf(context),
    clientsFor: cephClients(context, connectionOf),
    connectionOf,
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
  return {
    document: report,
    table: (width) => doctorTable(report, width),
    exitCode: report.failed > 0 ? 1 : 0,
  };
};
