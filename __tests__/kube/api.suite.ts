import { kubeContext, type KubeContext } from '../support/kube/context.js';
import { clientSuite } from './client.suite.js';
import { elsewhereSuite } from './elsewhere.suite.js';
import { eventsSuite } from './events.suite.js';
import { leaseSuite } from './lease.suite.js';
import { marksSuite } from './marks.suite.js';
import { sandboxSuite } from './sandbox.suite.js';

/** Everything that this program expects of a Kubernetes API: both the stand-in and a real one must pass it. */
export function apiSuite(real: boolean): KubeContext {
  const context = kubeContext(real);
  sandboxSuite(context);
  clientSuite(context);
  marksSuite(context);
  eventsSuite(context);
  leaseSuite(context);
  elsewhereSuite(context);
  return context;
}
